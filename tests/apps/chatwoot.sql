-- Chatwoot 3 on PostgreSQL: contacts of an account, their labels as acts-as-taggable-on keeps them, their notes (db/schema.rb).
CREATE TABLE accounts (id SERIAL PRIMARY KEY, name VARCHAR NOT NULL, created_at TIMESTAMP(6) NOT NULL, updated_at TIMESTAMP(6) NOT NULL);
CREATE TABLE contacts (
  id SERIAL PRIMARY KEY, name VARCHAR DEFAULT '', email VARCHAR, phone_number VARCHAR, account_id INTEGER NOT NULL,
  created_at TIMESTAMP(6) NOT NULL, updated_at TIMESTAMP(6) NOT NULL, additional_attributes JSONB DEFAULT '{}', identifier VARCHAR,
  custom_attributes JSONB DEFAULT '{}', last_activity_at TIMESTAMP, contact_type INTEGER DEFAULT 0, middle_name VARCHAR DEFAULT '',
  last_name VARCHAR DEFAULT '', location VARCHAR DEFAULT '', country_code VARCHAR DEFAULT '', blocked BOOLEAN DEFAULT FALSE NOT NULL
);
CREATE UNIQUE INDEX uniq_email_per_account_contact ON contacts (email, account_id);
CREATE UNIQUE INDEX uniq_identifier_per_account_contact ON contacts (identifier, account_id);
CREATE TABLE tags (id SERIAL PRIMARY KEY, name VARCHAR, taggings_count INTEGER DEFAULT 0);
CREATE UNIQUE INDEX index_tags_on_name ON tags (name);
CREATE TABLE taggings (
  id SERIAL PRIMARY KEY, tag_id INTEGER REFERENCES tags (id), taggable_type VARCHAR, taggable_id INTEGER, tagger_type VARCHAR,
  tagger_id INTEGER, context VARCHAR(128), created_at TIMESTAMP
);
CREATE UNIQUE INDEX taggings_idx ON taggings (tag_id, taggable_id, taggable_type, context, tagger_id, tagger_type);
CREATE TABLE notes (
  id BIGSERIAL PRIMARY KEY, content TEXT NOT NULL, account_id BIGINT NOT NULL, contact_id BIGINT NOT NULL, user_id BIGINT,
  created_at TIMESTAMP(6) NOT NULL, updated_at TIMESTAMP(6) NOT NULL
);
