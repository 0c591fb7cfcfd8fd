"""What the larger applications hold before the first night: Ann, who is edited there, Ben, who is edited in GHL, and what is not ours."""

from __future__ import annotations

ODOO = (
    "INSERT INTO res_country (id, code, name) VALUES (75, 'FR', '{\"en_US\": \"France\"}'), (109, 'IT', '{\"en_US\": \"Italy\"}'), (163, 'NO', '{\"en_US\": \"Norway\"}')",
    "INSERT INTO res_country_state (id, country_id, name, code) VALUES (501, 109, 'Roma', 'RM')",
    "INSERT INTO res_company (id, name, partner_id, currency_id) VALUES (1, 'Ours', 101, 1)",
    "INSERT INTO res_partner (id, name, complete_name, type, is_company, active, lang, email) VALUES (101, 'Ours', 'Ours', 'contact', TRUE, TRUE, 'en_US', 'info@ours.test')",
    "INSERT INTO res_users (id, company_id, partner_id, login, notification_type) VALUES (2, 1, 101, 'admin', 'email')",
    "INSERT INTO res_partner (id, name, complete_name, type, is_company, active, lang, email) VALUES (102, 'Acme', 'Acme', 'contact', TRUE, TRUE, 'en_US', 'info@acme.test')",
    "INSERT INTO res_partner (id, parent_id, name, complete_name, type, is_company, active, lang, street, zip, city, country_id, state_id, email, email_normalized, phone, function, create_uid, write_uid, create_date, write_date) VALUES"
    " (111, 102, 'Ann Abel', 'Acme, Ann Abel', 'contact', FALSE, TRUE, 'en_US', 'Via 1', '00184', 'Rome', 109, 501, 'ann@a.test', 'ann@a.test', '+12025550101', 'Buyer', 2, 2, '2026-01-01', '2026-01-01'),"
    " (112, NULL, 'Ben Bird', 'Ben Bird', 'contact', FALSE, TRUE, 'en_US', NULL, NULL, NULL, 75, NULL, 'ben@b.test', 'ben@b.test', NULL, NULL, 2, 2, '2026-01-01', '2026-01-01'),"
    " (113, 102, NULL, 'Acme, Invoice', 'invoice', FALSE, TRUE, 'en_US', 'Via 2', NULL, 'Bari', 109, NULL, 'bills@acme.test', 'bills@acme.test', NULL, NULL, 2, 2, '2026-01-01', '2026-01-01'),"
    " (114, NULL, 'Gil Gone', 'Gil Gone', 'contact', FALSE, FALSE, 'en_US', NULL, NULL, NULL, NULL, NULL, 'gil@g.test', 'gil@g.test', NULL, NULL, 2, 2, '2026-01-01', '2026-01-01')",
    'INSERT INTO res_partner_category (id, name, active) VALUES (201, \'{"en_US": "vip", "fr_FR": "VIP (fr)"}\', TRUE), (202, \'{"en_US": "goods"}\', TRUE)',
    "INSERT INTO res_partner_res_partner_category_rel (category_id, partner_id) VALUES (201, 111), (202, 102)",
    "INSERT INTO project_task (id, name, description, state, partner_id, date_deadline, write_date) VALUES"
    " (301, 'Call Ann', '<p>by phone</p>', '01_in_progress', 111, '2026-03-01 09:00', '2026-01-01'),"
    " (302, 'Within', NULL, '1_done', NULL, '2026-03-01 09:00', '2026-01-01')",
    "INSERT INTO mail_activity (id, res_model_id, res_model, res_id, user_id, summary, date_deadline) VALUES (401, 80, 'res.partner', 111, 2, 'Visit', '2026-03-02'),"
    " (402, 90, 'crm.lead', 111, 2, 'Offer', '2026-03-02')",
    "INSERT INTO mail_message (id, model, res_id, author_id, message_type, body, date, write_date) VALUES"
    " (601, 'res.partner', 111, 101, 'comment', '<p>likes tea</p>', '2026-01-01', '2026-01-01'),"
    " (602, 'crm.lead', 111, 101, 'comment', '<p>of a lead</p>', '2026-01-01', '2026-01-01')",
)
_NOW = "'2026-01-01 00:00:00.000'"


def _key(number: int) -> str:
    return f"X'018{number:029x}'"


SHOPWARE = (
    f"INSERT INTO language (id, locale_id, name, created_at) VALUES ({_key(1)}, {_key(2)}, 'Deutsch', {_NOW})",
    f"INSERT INTO customer_group (id, created_at) VALUES ({_key(3)}, {_NOW})",
    f"INSERT INTO payment_method (id, created_at) VALUES ({_key(4)}, {_NOW})",
    f"INSERT INTO sales_channel (id, type_id, access_key, created_at) VALUES ({_key(5)}, {_key(6)}, 'SWSC', {_NOW})",
    f"INSERT INTO country (id, iso, iso3, created_at) VALUES ({_key(7)}, 'DE', 'DEU', {_NOW}), ({_key(8)}, 'IT', 'ITA', {_NOW})",
    "INSERT INTO customer (id, customer_group_id, default_payment_method_id, sales_channel_id, language_id, default_billing_address_id, default_shipping_address_id,"
    " customer_number, first_name, last_name, email, password, created_at, updated_at) VALUES"
    f" ({_key(11)}, {_key(3)}, {_key(4)}, {_key(5)}, {_key(1)}, {_key(21)}, {_key(22)}, '10001', 'Ann', 'Abel', 'ann@a.test', 'x', {_NOW}, {_NOW}),"
    f" ({_key(12)}, {_key(3)}, {_key(4)}, {_key(5)}, {_key(1)}, {_key(23)}, {_key(23)}, '10002', 'Ben', 'Bird', 'ben@b.test', 'x', {_NOW}, {_NOW})",
    "INSERT INTO customer_address (id, customer_id, country_id, first_name, last_name, street, zipcode, city, phone_number, created_at) VALUES"
    f" ({_key(21)}, {_key(11)}, {_key(8)}, 'Ann', 'Abel', 'Via 1', '00184', 'Rome', '+12025550101', {_NOW}),"
    f" ({_key(22)}, {_key(11)}, {_key(7)}, 'Ann', 'Abel', 'Am Lager 2', '10115', 'Berlin', NULL, {_NOW}),"
    f" ({_key(23)}, {_key(12)}, {_key(7)}, 'Ben', 'Bird', 'Weg 3', '10117', 'Berlin', NULL, {_NOW})",
    f"INSERT INTO tag (id, name, created_at) VALUES ({_key(31)}, 'vip', {_NOW}), ({_key(32)}, 'goods', {_NOW})",
    f"INSERT INTO customer_tag (customer_id, tag_id) VALUES ({_key(11)}, {_key(31)})",
)
