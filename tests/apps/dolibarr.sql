-- Dolibarr 18 on MariaDB: contacts of third parties, their countries and categories (htdocs/install/mysql/tables).
CREATE TABLE llx_c_country (
  rowid INTEGER PRIMARY KEY, code VARCHAR(2) NOT NULL, code_iso VARCHAR(3), label VARCHAR(128) NOT NULL, active TINYINT DEFAULT 1 NOT NULL,
  UNIQUE KEY idx_c_country_code (code)
) ENGINE=innodb;
CREATE TABLE llx_societe (
  rowid INTEGER AUTO_INCREMENT PRIMARY KEY, nom VARCHAR(128), entity INTEGER DEFAULT 1 NOT NULL, client TINYINT DEFAULT 0, tms TIMESTAMP DEFAULT CURRENT_TIMESTAMP
) ENGINE=innodb;
CREATE TABLE llx_socpeople (
  rowid INTEGER AUTO_INCREMENT PRIMARY KEY, datec DATETIME, tms TIMESTAMP DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, fk_soc INTEGER,
  entity INTEGER DEFAULT 1 NOT NULL, ref_ext VARCHAR(255), name_alias VARCHAR(255), civility VARCHAR(6), lastname VARCHAR(50), firstname VARCHAR(50),
  address VARCHAR(255), zip VARCHAR(25), town VARCHAR(255), fk_departement INTEGER, fk_pays INTEGER DEFAULT 0, birthday DATE, poste VARCHAR(255),
  phone VARCHAR(30), phone_perso VARCHAR(30), phone_mobile VARCHAR(30), fax VARCHAR(30), email VARCHAR(255), url VARCHAR(255), socialnetworks TEXT,
  photo VARCHAR(255), no_email SMALLINT NOT NULL DEFAULT 0, priv SMALLINT NOT NULL DEFAULT 0, fk_user_creat INTEGER DEFAULT 0, fk_user_modif INTEGER,
  note_private TEXT, note_public TEXT, default_lang VARCHAR(6), import_key VARCHAR(14), statut TINYINT DEFAULT 1 NOT NULL,
  KEY idx_socpeople_fk_soc (fk_soc), CONSTRAINT fk_socpeople_fk_soc FOREIGN KEY (fk_soc) REFERENCES llx_societe (rowid)
) ENGINE=innodb;
CREATE TABLE llx_categorie (
  rowid INTEGER AUTO_INCREMENT PRIMARY KEY, entity INTEGER DEFAULT 1 NOT NULL, fk_parent INTEGER DEFAULT 0 NOT NULL, label VARCHAR(180) NOT NULL,
  ref_ext VARCHAR(255), type INTEGER DEFAULT 1 NOT NULL, description TEXT, color VARCHAR(8), visible TINYINT DEFAULT 1 NOT NULL, date_creation DATETIME,
  UNIQUE KEY uk_categorie_ref (entity, fk_parent, label, type)
) ENGINE=innodb;
CREATE TABLE llx_categorie_contact (
  fk_categorie INTEGER NOT NULL, fk_socpeople INTEGER NOT NULL, import_key VARCHAR(14), PRIMARY KEY (fk_categorie, fk_socpeople),
  CONSTRAINT fk_categorie_contact_categorie_rowid FOREIGN KEY (fk_categorie) REFERENCES llx_categorie (rowid),
  CONSTRAINT fk_categorie_contact_fk_socpeople FOREIGN KEY (fk_socpeople) REFERENCES llx_socpeople (rowid)
) ENGINE=innodb;
