-- Shopware 6.5 on MariaDB: customers and their addresses as far as they refer to one another; keys are 16 bytes (src/Core/Migration).
CREATE TABLE language (
  id BINARY(16) NOT NULL, parent_id BINARY(16) DEFAULT NULL, locale_id BINARY(16) NOT NULL, name VARCHAR(50) NOT NULL, created_at DATETIME(3) NOT NULL, updated_at DATETIME(3) DEFAULT NULL,
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
CREATE TABLE customer_group (
  id BINARY(16) NOT NULL, display_gross TINYINT(1) NOT NULL DEFAULT 1, registration_active TINYINT(1) NOT NULL DEFAULT 0, created_at DATETIME(3) NOT NULL, updated_at DATETIME(3) DEFAULT NULL,
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
CREATE TABLE payment_method (
  id BINARY(16) NOT NULL, handler_identifier VARCHAR(255) NOT NULL DEFAULT 'Shopware\\Core\\Checkout\\Payment\\Cart\\PaymentHandler\\DefaultPayment', position INT NOT NULL DEFAULT 1,
  active TINYINT(1) NOT NULL DEFAULT 0, created_at DATETIME(3) NOT NULL, updated_at DATETIME(3) DEFAULT NULL, PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
CREATE TABLE sales_channel (
  id BINARY(16) NOT NULL, type_id BINARY(16) NOT NULL, access_key VARCHAR(255) NOT NULL, active TINYINT(1) NOT NULL DEFAULT 1, maintenance TINYINT(1) NOT NULL DEFAULT 0,
  created_at DATETIME(3) NOT NULL, updated_at DATETIME(3) DEFAULT NULL, PRIMARY KEY (id), UNIQUE KEY `uniq.access_key` (access_key)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
CREATE TABLE salutation (
  id BINARY(16) NOT NULL, salutation_key VARCHAR(255) NOT NULL, created_at DATETIME(3) NOT NULL, updated_at DATETIME(3) DEFAULT NULL, PRIMARY KEY (id), UNIQUE KEY `uniq.salutation_key` (salutation_key)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
CREATE TABLE country (
  id BINARY(16) NOT NULL, iso VARCHAR(255) DEFAULT NULL, position INT NOT NULL DEFAULT 1, active TINYINT(1) NOT NULL DEFAULT 1, shipping_available TINYINT(1) NOT NULL DEFAULT 1,
  iso3 VARCHAR(45) DEFAULT NULL, created_at DATETIME(3) NOT NULL, updated_at DATETIME(3) DEFAULT NULL, PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
CREATE TABLE country_state (
  id BINARY(16) NOT NULL, country_id BINARY(16) NOT NULL, short_code VARCHAR(255) NOT NULL, position INT NOT NULL DEFAULT 1, active TINYINT(1) NOT NULL DEFAULT 1,
  created_at DATETIME(3) NOT NULL, updated_at DATETIME(3) DEFAULT NULL, PRIMARY KEY (id),
  CONSTRAINT `fk.country_state.country_id` FOREIGN KEY (country_id) REFERENCES country (id) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
CREATE TABLE customer (
  id BINARY(16) NOT NULL, auto_increment BIGINT UNSIGNED NOT NULL AUTO_INCREMENT, customer_group_id BINARY(16) NOT NULL, default_payment_method_id BINARY(16) NOT NULL,
  sales_channel_id BINARY(16) NOT NULL, language_id BINARY(16) NOT NULL, last_payment_method_id BINARY(16) DEFAULT NULL, default_billing_address_id BINARY(16) NOT NULL,
  default_shipping_address_id BINARY(16) NOT NULL, customer_number VARCHAR(255) NOT NULL, salutation_id BINARY(16) DEFAULT NULL, first_name VARCHAR(255) NOT NULL,
  last_name VARCHAR(255) NOT NULL, company VARCHAR(255) DEFAULT NULL, password VARCHAR(1024) DEFAULT NULL, email VARCHAR(254) NOT NULL, title VARCHAR(100) DEFAULT NULL,
  vat_ids JSON DEFAULT NULL, affiliate_code VARCHAR(255) DEFAULT NULL, campaign_code VARCHAR(255) DEFAULT NULL, active TINYINT(1) NOT NULL DEFAULT 1,
  double_opt_in_registration TINYINT(1) NOT NULL DEFAULT 0, guest TINYINT(1) NOT NULL DEFAULT 0, first_login DATETIME(3) DEFAULT NULL, last_login DATETIME(3) DEFAULT NULL,
  birthday DATE DEFAULT NULL, last_order_date DATETIME(3) DEFAULT NULL, order_count INT NOT NULL DEFAULT 0, order_total_amount DOUBLE DEFAULT 0, legacy_password VARCHAR(255) DEFAULT NULL,
  legacy_encoder VARCHAR(255) DEFAULT NULL, custom_fields JSON DEFAULT NULL, remote_address VARCHAR(255) DEFAULT NULL, tag_ids JSON DEFAULT NULL, hash VARCHAR(255) DEFAULT NULL,
  created_at DATETIME(3) NOT NULL, updated_at DATETIME(3) DEFAULT NULL,
  PRIMARY KEY (id), UNIQUE KEY `uniq.auto_increment` (auto_increment), KEY `idx.firstlogin` (first_login), KEY `idx.email` (email),
  KEY `fk.customer.default_billing_address_id` (default_billing_address_id), KEY `fk.customer.default_shipping_address_id` (default_shipping_address_id),
  CONSTRAINT `fk.customer.customer_group_id` FOREIGN KEY (customer_group_id) REFERENCES customer_group (id) ON UPDATE CASCADE,
  CONSTRAINT `fk.customer.default_payment_method_id` FOREIGN KEY (default_payment_method_id) REFERENCES payment_method (id) ON UPDATE CASCADE,
  CONSTRAINT `fk.customer.sales_channel_id` FOREIGN KEY (sales_channel_id) REFERENCES sales_channel (id) ON UPDATE CASCADE,
  CONSTRAINT `fk.customer.language_id` FOREIGN KEY (language_id) REFERENCES language (id) ON UPDATE CASCADE,
  CONSTRAINT `fk.customer.salutation_id` FOREIGN KEY (salutation_id) REFERENCES salutation (id) ON DELETE SET NULL ON UPDATE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
CREATE TABLE customer_address (
  id BINARY(16) NOT NULL, customer_id BINARY(16) NOT NULL, country_id BINARY(16) NOT NULL, country_state_id BINARY(16) DEFAULT NULL, company VARCHAR(255) DEFAULT NULL,
  department VARCHAR(255) DEFAULT NULL, salutation_id BINARY(16) DEFAULT NULL, title VARCHAR(100) DEFAULT NULL, first_name VARCHAR(255) NOT NULL, last_name VARCHAR(255) NOT NULL,
  street VARCHAR(255) NOT NULL, zipcode VARCHAR(50) DEFAULT NULL, city VARCHAR(70) NOT NULL, phone_number VARCHAR(40) DEFAULT NULL, additional_address_line1 VARCHAR(255) DEFAULT NULL,
  additional_address_line2 VARCHAR(255) DEFAULT NULL, custom_fields JSON DEFAULT NULL, created_at DATETIME(3) NOT NULL, updated_at DATETIME(3) DEFAULT NULL, PRIMARY KEY (id),
  CONSTRAINT `fk.customer_address.country_id` FOREIGN KEY (country_id) REFERENCES country (id) ON UPDATE CASCADE,
  CONSTRAINT `fk.customer_address.country_state_id` FOREIGN KEY (country_state_id) REFERENCES country_state (id) ON DELETE SET NULL ON UPDATE CASCADE,
  CONSTRAINT `fk.customer_address.customer_id` FOREIGN KEY (customer_id) REFERENCES customer (id) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
CREATE TABLE tag (
  id BINARY(16) NOT NULL, name VARCHAR(255) NOT NULL, created_at DATETIME(3) NOT NULL, updated_at DATETIME(3) DEFAULT NULL, PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
CREATE TABLE customer_tag (
  customer_id BINARY(16) NOT NULL, tag_id BINARY(16) NOT NULL, PRIMARY KEY (customer_id, tag_id),
  CONSTRAINT `fk.customer_tag.tag_id` FOREIGN KEY (tag_id) REFERENCES tag (id) ON DELETE CASCADE ON UPDATE CASCADE,
  CONSTRAINT `fk.customer_tag.customer_id` FOREIGN KEY (customer_id) REFERENCES customer (id) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
CREATE TABLE `order` (
  id BINARY(16) NOT NULL, version_id BINARY(16) NOT NULL, auto_increment BIGINT UNSIGNED NOT NULL AUTO_INCREMENT, order_number VARCHAR(64) DEFAULT NULL, sales_channel_id BINARY(16) NOT NULL,
  billing_address_id BINARY(16) NOT NULL, order_date_time DATETIME(3) NOT NULL, created_at DATETIME(3) NOT NULL, updated_at DATETIME(3) DEFAULT NULL, PRIMARY KEY (id, version_id),
  UNIQUE KEY `uniq.auto_increment` (auto_increment)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
CREATE TABLE order_customer (
  id BINARY(16) NOT NULL, version_id BINARY(16) NOT NULL, customer_id BINARY(16) DEFAULT NULL, order_id BINARY(16) NOT NULL, order_version_id BINARY(16) NOT NULL,
  email VARCHAR(254) NOT NULL, first_name VARCHAR(255) NOT NULL, last_name VARCHAR(255) NOT NULL, company VARCHAR(255) DEFAULT NULL, title VARCHAR(100) DEFAULT NULL,
  customer_number VARCHAR(255) DEFAULT NULL, created_at DATETIME(3) NOT NULL, updated_at DATETIME(3) DEFAULT NULL, PRIMARY KEY (id, version_id),
  CONSTRAINT `fk.order_customer.customer_id` FOREIGN KEY (customer_id) REFERENCES customer (id) ON DELETE SET NULL ON UPDATE CASCADE,
  CONSTRAINT `fk.order_customer.order_id` FOREIGN KEY (order_id, order_version_id) REFERENCES `order` (id, version_id) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
