"""The exports that people have.

What their columns are called, where the name alone does not say what they hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Export:
    """What an application writes: `marks` are columns by which it is known.

    `concepts` says what columns hold.

    `strange` are columns that look like a field and hold something else, with the reason. `own_key`
    is a key that the application gives: a row with another one may be taken for another record
    where the file is read in again. `key` is a column that tells rows apart where the application's
    own may not be made up. `tags_except` see FileSettings.
    """

    name: str
    marks: frozenset[str]
    concepts: Mapping[str, str] = field(default_factory=dict)
    strange: Mapping[str, str] = field(default_factory=dict)
    own_key: str | None = None
    key: str | None = None
    tags_except: tuple[str, ...] = ()


EXPORTS = (
    Export(
        "HubSpot's contacts",
        frozenset({"Record ID", "Lead Status", "Create Date"}),
        concepts={"State/Region": "state", "Country/Region": "country"},
        own_key="Record ID",
    ),
    Export(
        "Google Contacts",
        frozenset({"E-mail 1 - Value", "Phone 1 - Value"}),
        concepts={
            "E-mail 1 - Value": "email",
            "E-mail 2 - Value": "email",
            "E-mail 3 - Value": "email",
            "E-mail 4 - Value": "email",
            "Phone 1 - Value": "phone",
            "Phone 2 - Value": "phone",
            "Phone 3 - Value": "phone",
            "Phone 4 - Value": "phone",
            "Organization Name": "companyName",
            "Website 1 - Value": "website",
            "Address 1 - Region": "state",
            "Labels": "tags",
            "Address 1 - Street": "address1",
            "Address 1 - City": "city",
            "Address 1 - Postal Code": "postalCode",
            "Address 1 - Country": "country",
        },
        tags_except=("* myContacts", "* starred"),
    ),
    Export(
        "a report of Salesforce",
        frozenset({"Contact ID", "Account Name"}),
        concepts={
            "Account Name": "companyName",
            "Mailing Street": "address1",
            "Mailing City": "city",
            "Mailing State/Province": "state",
            "Mailing Zip/Postal Code": "postalCode",
            "Mailing Country": "country",
        },
        own_key="Contact ID",
    ),
    Export(
        "a Mailchimp audience",
        frozenset({"MEMBER_RATING", "LEID", "EUID"}),
        concepts={"TAGS": "tags"},
        strange={
            "Address": "it holds street, city, postal code and country in one cell",
            "CC": "it is where a newsletter was opened",
            "REGION": "it is where a newsletter was opened",
        },
        key="Email Address",
    ),
)


def export_of(columns: tuple[str, ...]) -> Export | None:
    """The export that a file with these columns is, if it is a known one."""
    return next((one for one in EXPORTS if one.marks <= set(columns)), None)


COUNTRIES: Mapping[str, str] = {
    "Alemania": "DE",
    "Allemagne": "DE",
    "Australia": "AU",
    "Australie": "AU",
    "Australien": "AU",
    "Austria": "AT",
    "Autriche": "AT",
    "Belgien": "BE",
    "Belgique": "BE",
    "Belgium": "BE",
    "België": "BE",
    "Brasil": "BR",
    "Brasilien": "BR",
    "Brazil": "BR",
    "Canada": "CA",
    "Danmark": "DK",
    "Denmark": "DK",
    "Deutschland": "DE",
    "Dänemark": "DK",
    "Espagne": "ES",
    "España": "ES",
    "France": "FR",
    "Francia": "FR",
    "Frankreich": "FR",
    "Germany": "DE",
    "Great Britain": "GB",
    "Großbritannien": "GB",
    "Ireland": "IE",
    "Irland": "IE",
    "Italia": "IT",
    "Italie": "IT",
    "Italien": "IT",
    "Italy": "IT",
    "Kanada": "CA",
    "Mexico": "MX",
    "México": "MX",
    "Nederland": "NL",
    "Netherlands": "NL",
    "New Zealand": "NZ",
    "Niederlande": "NL",
    "Norge": "NO",
    "Norway": "NO",
    "Norwegen": "NO",
    "Poland": "PL",
    "Polen": "PL",
    "Polska": "PL",
    "Portugal": "PT",
    "Schweden": "SE",
    "Schweiz": "CH",
    "Spain": "ES",
    "Spanien": "ES",
    "Suisse": "CH",
    "Sverige": "SE",
    "Svizzera": "CH",
    "Sweden": "SE",
    "Switzerland": "CH",
    "UK": "GB",
    "USA": "US",
    "United Kingdom": "GB",
    "United States": "US",
    "United States of America": "US",
    "Österreich": "AT",
}
"""Names that people give countries; GHL takes their two letters (ghl.md)."""
