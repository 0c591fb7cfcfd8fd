-- Odoo 17 on PostgreSQL: partners (people, companies and addresses in one table), their categories, countries, to-dos and messages (as its ORM makes the tables).
CREATE TABLE res_company (id SERIAL PRIMARY KEY, name VARCHAR NOT NULL, partner_id INTEGER NOT NULL, currency_id INTEGER NOT NULL, sequence INTEGER, create_uid INTEGER, write_uid INTEGER, create_date TIMESTAMP, write_date TIMESTAMP, UNIQUE (name));
CREATE TABLE res_users (
  id SERIAL PRIMARY KEY, company_id INTEGER NOT NULL REFERENCES res_company (id) ON DELETE RESTRICT, partner_id INTEGER NOT NULL, active BOOLEAN DEFAULT TRUE,
  create_date TIMESTAMP, login VARCHAR NOT NULL, password VARCHAR, action_id INTEGER, create_uid INTEGER, write_uid INTEGER, signature TEXT, share BOOLEAN,
  write_date TIMESTAMP, totp_secret VARCHAR, notification_type VARCHAR NOT NULL, UNIQUE (login)
);
CREATE TABLE res_country (
  id SERIAL PRIMARY KEY, address_view_id INTEGER, currency_id INTEGER, phone_code INTEGER, create_uid INTEGER, write_uid INTEGER, code VARCHAR(2) NOT NULL,
  name_position VARCHAR, name JSONB NOT NULL, vat_label JSONB, address_format TEXT, state_required BOOLEAN, zip_required BOOLEAN, create_date TIMESTAMP, write_date TIMESTAMP,
  CONSTRAINT res_country_code_uniq UNIQUE (code), CONSTRAINT res_country_name_uniq UNIQUE (name)
);
CREATE TABLE res_country_state (
  id SERIAL PRIMARY KEY, country_id INTEGER NOT NULL REFERENCES res_country (id) ON DELETE RESTRICT, create_uid INTEGER, write_uid INTEGER, name VARCHAR NOT NULL,
  code VARCHAR NOT NULL, create_date TIMESTAMP, write_date TIMESTAMP, CONSTRAINT res_country_state_name_code_uniq UNIQUE (country_id, code)
);
CREATE TABLE res_partner (
  id SERIAL PRIMARY KEY, company_id INTEGER REFERENCES res_company (id) ON DELETE SET NULL, create_date TIMESTAMP, name VARCHAR, title INTEGER,
  parent_id INTEGER REFERENCES res_partner (id) ON DELETE SET NULL, user_id INTEGER REFERENCES res_users (id) ON DELETE SET NULL,
  state_id INTEGER REFERENCES res_country_state (id) ON DELETE RESTRICT, country_id INTEGER REFERENCES res_country (id) ON DELETE RESTRICT, industry_id INTEGER, color INTEGER,
  commercial_partner_id INTEGER REFERENCES res_partner (id) ON DELETE SET NULL, create_uid INTEGER REFERENCES res_users (id) ON DELETE SET NULL,
  write_uid INTEGER REFERENCES res_users (id) ON DELETE SET NULL, complete_name VARCHAR, ref VARCHAR, lang VARCHAR, tz VARCHAR, vat VARCHAR, company_registry VARCHAR,
  website VARCHAR, function VARCHAR, type VARCHAR, street VARCHAR, street2 VARCHAR, zip VARCHAR, city VARCHAR, email VARCHAR, phone VARCHAR, mobile VARCHAR,
  commercial_company_name VARCHAR, company_name VARCHAR, date DATE, comment TEXT, partner_latitude NUMERIC, partner_longitude NUMERIC, active BOOLEAN, employee BOOLEAN,
  is_company BOOLEAN, partner_share BOOLEAN, write_date TIMESTAMP, message_bounce INTEGER, email_normalized VARCHAR, contact_address_complete VARCHAR, signup_type VARCHAR,
  CONSTRAINT res_partner_check_name CHECK (((type = 'contact') AND (name IS NOT NULL)) OR (type <> 'contact'))
);
ALTER TABLE res_users ADD CONSTRAINT res_users_partner_id_fkey FOREIGN KEY (partner_id) REFERENCES res_partner (id) ON DELETE RESTRICT;
ALTER TABLE res_company ADD CONSTRAINT res_company_partner_id_fkey FOREIGN KEY (partner_id) REFERENCES res_partner (id) DEFERRABLE INITIALLY DEFERRED;
CREATE INDEX res_partner_complete_name_index ON res_partner (complete_name);
CREATE TABLE res_partner_category (
  id SERIAL PRIMARY KEY, color INTEGER, parent_id INTEGER REFERENCES res_partner_category (id) ON DELETE CASCADE, create_uid INTEGER, write_uid INTEGER, parent_path VARCHAR,
  name JSONB NOT NULL, active BOOLEAN, create_date TIMESTAMP, write_date TIMESTAMP
);
CREATE TABLE res_partner_res_partner_category_rel (
  category_id INTEGER NOT NULL REFERENCES res_partner_category (id) ON DELETE CASCADE, partner_id INTEGER NOT NULL REFERENCES res_partner (id) ON DELETE CASCADE,
  PRIMARY KEY (category_id, partner_id)
);
CREATE TABLE project_task (
  id SERIAL PRIMARY KEY, sequence INTEGER, stage_id INTEGER, project_id INTEGER, display_in_project BOOLEAN, color INTEGER, company_id INTEGER, partner_id INTEGER REFERENCES res_partner (id) ON DELETE SET NULL,
  parent_id INTEGER REFERENCES project_task (id) ON DELETE RESTRICT, create_uid INTEGER, write_uid INTEGER, email_cc VARCHAR, priority VARCHAR, state VARCHAR NOT NULL,
  kanban_state VARCHAR, name VARCHAR NOT NULL, description TEXT, active BOOLEAN, date_end TIMESTAMP, date_assign TIMESTAMP, date_deadline TIMESTAMP, date_last_stage_update TIMESTAMP,
  create_date TIMESTAMP, write_date TIMESTAMP, working_hours_open DOUBLE PRECISION
);
CREATE TABLE mail_activity (
  id SERIAL PRIMARY KEY, res_model_id INTEGER NOT NULL, res_id INTEGER, activity_type_id INTEGER, user_id INTEGER NOT NULL REFERENCES res_users (id) ON DELETE RESTRICT,
  request_partner_id INTEGER REFERENCES res_partner (id) ON DELETE SET NULL, recommended_activity_type_id INTEGER, previous_activity_type_id INTEGER, create_uid INTEGER,
  write_uid INTEGER, res_model VARCHAR, res_name VARCHAR, summary VARCHAR, date_deadline DATE NOT NULL, note TEXT, automated BOOLEAN, create_date TIMESTAMP, write_date TIMESTAMP,
  CONSTRAINT mail_activity_check_res_id_is_set CHECK (res_id IS NOT NULL AND res_id <> 0)
);
CREATE TABLE mail_message (
  id SERIAL PRIMARY KEY, parent_id INTEGER REFERENCES mail_message (id) ON DELETE SET NULL, res_id INTEGER, subtype_id INTEGER, mail_activity_type_id INTEGER,
  author_id INTEGER REFERENCES res_partner (id) ON DELETE SET NULL, author_guest_id INTEGER, mail_server_id INTEGER, create_uid INTEGER, write_uid INTEGER, subject VARCHAR,
  model VARCHAR, record_name VARCHAR, message_type VARCHAR NOT NULL, email_from VARCHAR, message_id VARCHAR, reply_to VARCHAR, email_layout_xmlid VARCHAR, body TEXT,
  is_internal BOOLEAN, reply_to_force_new BOOLEAN, email_add_signature BOOLEAN, date TIMESTAMP, create_date TIMESTAMP, write_date TIMESTAMP
);
