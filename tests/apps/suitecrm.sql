-- SuiteCRM 7 on MariaDB: contacts with everything that hangs on them, as its installer makes the tables.
CREATE TABLE users (
  id CHAR(36) NOT NULL, user_name VARCHAR(60) DEFAULT NULL, first_name VARCHAR(255) DEFAULT NULL,
  last_name VARCHAR(255) DEFAULT NULL, status VARCHAR(100) DEFAULT NULL, deleted TINYINT(1) DEFAULT NULL,
  PRIMARY KEY (id), KEY idx_user_name (user_name, status, last_name(30), first_name(30), id)
) CHARSET=utf8mb4;
CREATE TABLE contacts (
  id CHAR(36) NOT NULL, date_entered DATETIME DEFAULT NULL, date_modified DATETIME DEFAULT NULL,
  modified_user_id CHAR(36) DEFAULT NULL, created_by CHAR(36) DEFAULT NULL, description TEXT DEFAULT NULL,
  deleted TINYINT(1) DEFAULT 0, assigned_user_id CHAR(36) DEFAULT NULL, salutation VARCHAR(255) DEFAULT NULL,
  first_name VARCHAR(100) DEFAULT NULL, last_name VARCHAR(100) DEFAULT NULL, title VARCHAR(100) DEFAULT NULL,
  photo VARCHAR(255) DEFAULT NULL, department VARCHAR(255) DEFAULT NULL, do_not_call TINYINT(1) DEFAULT 0,
  phone_home VARCHAR(100) DEFAULT NULL, phone_mobile VARCHAR(100) DEFAULT NULL, phone_work VARCHAR(100) DEFAULT NULL,
  phone_other VARCHAR(100) DEFAULT NULL, phone_fax VARCHAR(100) DEFAULT NULL, lawful_basis TEXT DEFAULT NULL,
  date_reviewed DATE DEFAULT NULL, lawful_basis_source VARCHAR(100) DEFAULT NULL,
  primary_address_street VARCHAR(150) DEFAULT NULL, primary_address_city VARCHAR(100) DEFAULT NULL,
  primary_address_state VARCHAR(100) DEFAULT NULL, primary_address_postalcode VARCHAR(20) DEFAULT NULL,
  primary_address_country VARCHAR(255) DEFAULT NULL, alt_address_street VARCHAR(150) DEFAULT NULL,
  alt_address_city VARCHAR(100) DEFAULT NULL, alt_address_state VARCHAR(100) DEFAULT NULL,
  alt_address_postalcode VARCHAR(20) DEFAULT NULL, alt_address_country VARCHAR(255) DEFAULT NULL,
  assistant VARCHAR(75) DEFAULT NULL, assistant_phone VARCHAR(100) DEFAULT NULL, lead_source VARCHAR(255) DEFAULT NULL,
  reports_to_id CHAR(36) DEFAULT NULL, birthdate DATE DEFAULT NULL, campaign_id CHAR(36) DEFAULT NULL,
  PRIMARY KEY (id), KEY idx_cont_last_first (last_name, first_name, deleted),
  KEY idx_contacts_del_last (deleted, last_name), KEY idx_del_id_user (deleted, id, assigned_user_id)
) CHARSET=utf8mb4;
CREATE TABLE contacts_cstm (id_c CHAR(36) NOT NULL, loyalty_c VARCHAR(25) DEFAULT NULL, PRIMARY KEY (id_c)) CHARSET=utf8mb4;
CREATE TABLE accounts (
  id CHAR(36) NOT NULL, name VARCHAR(150) DEFAULT NULL, date_entered DATETIME DEFAULT NULL,
  date_modified DATETIME DEFAULT NULL, deleted TINYINT(1) DEFAULT 0, phone_office VARCHAR(100) DEFAULT NULL,
  website VARCHAR(255) DEFAULT NULL, PRIMARY KEY (id), KEY idx_accnt_name_del (name, deleted)
) CHARSET=utf8mb4;
CREATE TABLE accounts_contacts (
  id VARCHAR(36) NOT NULL, contact_id VARCHAR(36) DEFAULT NULL, account_id VARCHAR(36) DEFAULT NULL,
  date_modified DATETIME DEFAULT NULL, deleted TINYINT(1) DEFAULT 0,
  PRIMARY KEY (id), KEY idx_account_contact (account_id, contact_id), KEY idx_contid_del_accid (contact_id, deleted, account_id)
) CHARSET=utf8mb4;
CREATE TABLE email_addresses (
  id CHAR(36) NOT NULL, email_address VARCHAR(255) DEFAULT NULL, email_address_caps VARCHAR(255) DEFAULT NULL,
  invalid_email TINYINT(1) DEFAULT 0, opt_out TINYINT(1) DEFAULT 0, confirm_opt_in VARCHAR(255) DEFAULT 'not-opt-in',
  confirm_opt_in_date DATETIME DEFAULT NULL, confirm_opt_in_sent_date DATETIME DEFAULT NULL,
  confirm_opt_in_fail_date DATETIME DEFAULT NULL, confirm_opt_in_token VARCHAR(255) DEFAULT NULL,
  date_created DATETIME DEFAULT NULL, date_modified DATETIME DEFAULT NULL, deleted TINYINT(1) DEFAULT 0,
  PRIMARY KEY (id), KEY idx_ea_caps_opt_out_invalid (email_address_caps, opt_out, invalid_email),
  KEY idx_ea_opt_out_invalid (email_address, opt_out, invalid_email)
) CHARSET=utf8mb4;
CREATE TABLE email_addr_bean_rel (
  id CHAR(36) NOT NULL, email_address_id CHAR(36) NOT NULL, bean_id CHAR(36) NOT NULL, bean_module VARCHAR(100) DEFAULT NULL,
  primary_address TINYINT(1) DEFAULT 0, reply_to_address TINYINT(1) DEFAULT 0, date_created DATETIME DEFAULT NULL,
  date_modified DATETIME DEFAULT NULL, deleted TINYINT(1) DEFAULT 0,
  PRIMARY KEY (id), KEY idx_email_address_id (email_address_id), KEY idx_bean_id (bean_id, bean_module)
) CHARSET=utf8mb4;
CREATE TABLE tasks (
  id CHAR(36) NOT NULL, name VARCHAR(50) DEFAULT NULL, date_entered DATETIME DEFAULT NULL, date_modified DATETIME DEFAULT NULL,
  modified_user_id CHAR(36) DEFAULT NULL, created_by CHAR(36) DEFAULT NULL, description TEXT DEFAULT NULL,
  deleted TINYINT(1) DEFAULT 0, assigned_user_id CHAR(36) DEFAULT NULL, status VARCHAR(100) DEFAULT 'Not Started',
  date_due_flag TINYINT(1) DEFAULT 0, date_due DATETIME DEFAULT NULL, date_start_flag TINYINT(1) DEFAULT 0,
  date_start DATETIME DEFAULT NULL, parent_type VARCHAR(255) DEFAULT NULL, parent_id CHAR(36) DEFAULT NULL,
  contact_id CHAR(36) DEFAULT NULL, priority VARCHAR(100) DEFAULT NULL,
  PRIMARY KEY (id), KEY idx_tsk_name (name), KEY idx_task_con_del (contact_id, deleted), KEY idx_task_par_del (parent_id, parent_type, deleted)
) CHARSET=utf8mb4;
CREATE TABLE notes (
  assigned_user_id CHAR(36) DEFAULT NULL, id CHAR(36) NOT NULL, date_entered DATETIME DEFAULT NULL,
  date_modified DATETIME DEFAULT NULL, modified_user_id CHAR(36) DEFAULT NULL, created_by CHAR(36) DEFAULT NULL,
  name VARCHAR(255) DEFAULT NULL, file_mime_type VARCHAR(100) DEFAULT NULL, filename VARCHAR(255) DEFAULT NULL,
  parent_type VARCHAR(255) DEFAULT NULL, parent_id CHAR(36) DEFAULT NULL, contact_id CHAR(36) DEFAULT NULL,
  portal_flag TINYINT(1) DEFAULT NULL, embed_flag TINYINT(1) DEFAULT 0, description TEXT DEFAULT NULL, deleted TINYINT(1) DEFAULT 0,
  PRIMARY KEY (id), KEY idx_note_name (name), KEY idx_notes_parent (parent_id, parent_type), KEY idx_note_contact (contact_id)
) CHARSET=utf8mb4;
