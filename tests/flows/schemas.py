"""Three databases as they are found in the wild: a CRM, a shop and a clinic, each with its own conventions."""

from __future__ import annotations

import re

CRM = """
CREATE TABLE users (id INTEGER PRIMARY KEY, full_name TEXT, email TEXT, password_hash TEXT);
INSERT INTO users VALUES (1, 'Root Admin', 'root@crm.example', 'x');
CREATE TABLE people (
  id INTEGER PRIMARY KEY, first_name TEXT, last_name TEXT, display_name TEXT, email_address TEXT, mobile_phone TEXT,
  home_phone TEXT, street TEXT, town TEXT, state TEXT, zip TEXT, country_code TEXT, date_of_birth DATE, company TEXT,
  lead_source TEXT, customer_number TEXT, shoe_size TEXT, owner_id INTEGER REFERENCES users(id),
  created_at TIMESTAMP, updated_at TIMESTAMP, deleted_at TIMESTAMP);
INSERT INTO people VALUES
 (1,'Ann','Lee','Ann Lee','ann@mail.example','+1 212 555 0101','212-555-0102','1 Elm St','Albany','NY','12207','US',
  '1980-01-31','Lee & Co','web','C-1001','38',1,'2026-01-01 10:00:00','2026-02-01 10:00:00',NULL),
 (2,'Bob','Ray','Bob Ray','bob@mail.example','(212) 555-0103',NULL,'2 Oak Ave','Troy','NY','12180','US',
  '1975-07-02',NULL,'fair','C-1002',NULL,1,'2026-01-02 10:00:00','2026-02-02 10:00:00',NULL);
CREATE TABLE tags (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
INSERT INTO tags VALUES (1,'vip'),(2,'newsletter');
CREATE TABLE people_tags (person_id INTEGER REFERENCES people(id), tag_id INTEGER REFERENCES tags(id),
  PRIMARY KEY (person_id, tag_id));
INSERT INTO people_tags VALUES (1,1),(1,2);
CREATE TABLE todos (id INTEGER PRIMARY KEY, person_id INTEGER REFERENCES people(id), subject TEXT, description TEXT,
  due_at TIMESTAMP, status TEXT, updated_at TIMESTAMP);
INSERT INTO todos VALUES (1,1,'Call back','about the offer','2026-03-01 09:00:00','open','2026-02-01 10:00:00'),
 (2,1,'Send brochure',NULL,'2026-03-02 09:00:00','done','2026-02-01 10:00:00'),
 (3,2,'Visit',NULL,'2026-03-03 09:00:00','waiting','2026-02-01 10:00:00');
CREATE TABLE comments (id INTEGER PRIMARY KEY, person_id INTEGER REFERENCES people(id), body TEXT, created_at TIMESTAMP);
INSERT INTO comments VALUES (1,1,'Likes blue.','2026-01-05 10:00:00');
"""

SHOP = """
CREATE TABLE "Suppliers" ("SupplierId" INTEGER PRIMARY KEY, "CompanyName" TEXT, "ContactName" TEXT, "Email" TEXT,
  "Phone" TEXT, "City" TEXT);
INSERT INTO "Suppliers" VALUES (1,'Mill Ltd','Joe Mill','joe@mill.example','+44 20 7946 0001','Leeds');
CREATE TABLE "Customers" ("CustomerId" INTEGER PRIMARY KEY, "CustomerName" TEXT, "EMail" TEXT, "TelephoneNo" TEXT,
  "AddressLine1" TEXT, "AddressLine2" TEXT, "CityName" TEXT, "County" TEXT, "PostCode" TEXT, "Country" TEXT,
  "Labels" TEXT, "LoyaltyPoints" INTEGER, "Newsletter" BOOLEAN, "LastModified" DATETIME);
INSERT INTO "Customers" VALUES
 (1,'Cara Finn','cara@shop.example','+44 20 7946 0958','3 Mill Ln',NULL,'Leeds','West Yorkshire','LS1 1AA','GB',
  'wholesale;north',120,1,'2026-02-01T10:00:00'),
 (2,'Dan Gale','dan@shop.example','020 7946 0959','4 Low Rd','Flat 2','York','North Yorkshire','YO1 7HH','GB',
  'retail',5,0,'2026-02-02T10:00:00');
CREATE TABLE "Orders" ("OrderId" INTEGER PRIMARY KEY, "CustomerId" INTEGER REFERENCES "Customers"("CustomerId"),
  "OrderDate" DATETIME, "Total" NUMERIC, "Status" TEXT);
INSERT INTO "Orders" VALUES (1,1,'2026-01-01T10:00:00',12.5,'shipped');
CREATE TABLE "FollowUps" ("FollowUpId" INTEGER PRIMARY KEY, "CustomerId" INTEGER REFERENCES "Customers"("CustomerId"),
  "TaskName" TEXT, "Details" TEXT, "DueDate" DATETIME, "IsDone" BOOLEAN);
INSERT INTO "FollowUps" VALUES (1,1,'Ask for review','by phone','2026-03-01T09:00:00',0);
"""

CLINIC = """
CREATE TABLE aerzte (arzt_nr INTEGER PRIMARY KEY, name TEXT, fachgebiet TEXT);
INSERT INTO aerzte VALUES (1,'Dr. Weiss','Innere');
CREATE TABLE patienten (pat_nr INTEGER PRIMARY KEY, vorname TEXT, name TEXT, "geschlecht" TEXT, geburtsdatum DATE,
  "e_mail" TEXT, telefon TEXT, "straße" TEXT, plz TEXT, ort TEXT, krankenkasse TEXT, blutgruppe TEXT, versichertennr TEXT,
  "geändert_am" TIMESTAMP);
INSERT INTO patienten VALUES
 (1,'Änne','Groß','w','1990-05-06','aenne@praxis.example','+49 30 901820','Hauptstr. 1','10115','Berlin','AOK','0+',
  'A123456789','2026-02-01 10:00:00'),
 (2,'Uwe','Klein','m','1961-11-20','uwe@praxis.example','030 901821','Am Markt 2','10117','Berlin','TK','A-',
  'B987654321','2026-02-02 10:00:00');
CREATE TABLE termine (termin_nr INTEGER PRIMARY KEY, pat_nr INTEGER REFERENCES patienten(pat_nr),
  arzt_nr INTEGER REFERENCES aerzte(arzt_nr), beginn TIMESTAMP, ende TIMESTAMP);
INSERT INTO termine VALUES (1,1,1,'2026-03-01 09:00:00','2026-03-01 09:30:00');
CREATE TABLE notizen (notiz_nr INTEGER PRIMARY KEY, pat_nr INTEGER REFERENCES patienten(pat_nr), notiztext TEXT);
INSERT INTO notizen VALUES (1,1,'Ruft vor dem Termin an.');
"""

SCHEMAS = {"crm": CRM, "shop": SHOP, "clinic": CLINIC}


_INTO: dict[str, tuple[tuple[str, str], ...]] = {
    "sqlite": (),
    "postgresql": (
        (r"\bDATETIME\b", "TIMESTAMP"),
        (r",120,1,", ",120,true,"),
        (r",5,0,", ",5,false,"),
        (r"09:00:00',0\)", "09:00:00',false)"),
    ),
    # A UNIQUE text needs a length there, and TIMESTAMP is a column that sets itself.
    "mariadb": ((r"TEXT UNIQUE", "VARCHAR(80) UNIQUE"), (r"\bTIMESTAMP\b", "DATETIME")),
}


def statements(schema: str, database: str) -> list[str]:
    """A schema and its rows in the words of a database."""
    text = SCHEMAS[schema]
    for found, said in _INTO[database]:
        text = re.sub(found, said, text)
    first = (
        ["SET SESSION sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')"]
        if database == "mariadb"
        else []
    )
    return first + [statement for statement in text.split(";\n") if statement.strip()]
