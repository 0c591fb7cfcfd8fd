"""What people call things.

The names of columns and tables, brought to words and looked up across naming conventions.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache

Concept = str
"""What a column means: a GHL field name, or the role of a column ("modified_at")."""

_NOISE_WORDS = (
    "customer customers client clients contact contacts person people patient patients "
    "member members user users lead leads kunde kunden patienten personen cliente clientes "
    "paciente pacientes contacto contactos contato str txt s c f fld col primary main default "
    "usr cust pat cli cnt tbl"
)
"""Words that stand before the meaning of a column and add nothing to it."""

CONTACT: Mapping[Concept, str] = {
    "firstName": (
        "first name|firstname|fname|given name|givenname|forename|christian name|first|vorname"
        "|prenom|nombre de pila|primer nombre|nombres|voornaam|fornavn|fornamn|imie|etunimi"
        "|primeiro nome|prenome|nome proprio"
    ),
    "lastName": (
        "last name|lastname|lname|surname|sur name|family name|familyname|last|nachname"
        "|familienname|nom de famille|apellido|apellidos|primer apellido|cognome|sobrenome|apelido"
        "|achternaam|etternavn|efternamn|efternavn|nazwisko|sukunimi"
    ),
    "name": (
        "name|full name|fullname|display name|whole name|vollname|voller name|nom complet"
        "|nombre completo|nombre|nom|nome|nome completo|naam|navn|namn"
    ),
    "email": (
        "email|e mail|mail|email address|emailaddress|mail address|email addr|e mail address"
        "|correo|correo electronico|courriel|adresse email|adresse mail|mailadresse|email adresse"
        "|e mail adresse|epost|e post|posta elettronica"
    ),
    "phone": (
        "phone|phone number|phonenumber|mobile|mobile phone|mobile number|cell|cell phone|cellphone"
        "|telephone|telephone number|tel|tel no|tel nr|telefon nr|telephone no|mobile no|phone no"
        "|contact number|msisdn|telefon|telefonnummer|telefono|telefone|telephone portable"
        "|handy|handynummer|mobil|mobilnummer|mobiltelefon|portable|movil|telefono movil|celular"
        "|cellulare|telefoon|gsm|rufnummer|tlf|tel number"
    ),
    "address1": (
        "address 1|address1|address|address line 1|addressline1|addr 1|addr1|addr|street"
        "|street address|street line 1|strasse|strasse hausnummer|strasse nr|anschrift"
        "|adresse|adresse 1|rue|direccion|domicilio|calle|indirizzo|via|endereco|morada"
        "|straat|adres|ulica|gata"
    ),
    "city": (
        "city|town|locality|suburb|city name|ort|stadt|wohnort|ville|commune|ciudad|localidad"
        "|poblacion|citta|comune|cidade|stad|plaats|woonplaats|by|miasto"
    ),
    "state": (
        "state|province|region|state province|state code|county|bundesland|kanton|departement|etat"
        "|estado|provincia|regione"
    ),
    "postalCode": (
        "postal code|postalcode|zip|zip code|zipcode|postcode|post code|postal|plz|postleitzahl"
        "|code postal|codigo postal|cod postal|cp|cap|cep|postnummer|postnr|kod pocztowy"
    ),
    "country": "country|country code|country name|nation|land|laendercode|pays|pais|paese|kraj",
    "dateOfBirth": (
        "date of birth|dateofbirth|dob|birth date|birthdate|birthday|born|born on"
        "|geburtsdatum|geburtstag|geb datum|date naissance|date de naissance|fecha nacimiento"
        "|fecha de nacimiento|fec nac|data di nascita|data nascita|data nascimento"
        "|data de nascimento|geboortedatum|fodselsdato"
    ),
    "companyName": (
        "company|company name|companyname|organization|organisation|org|employer|business name"
        "|account name|firma|unternehmen|societe|entreprise|empresa|compania|azienda"
        "|ditta|bedrijf|foretag"
    ),
    "website": "website|web site|web|homepage|home page|url|site|webseite|site web|sitio web|sito",
    "source": (
        "source|lead source|origin|channel|acquisition channel|referrer|utm source|quelle|herkunft"
        "|origen|fuente|origine"
    ),
    "tags": (
        "tags|tag|labels|label|tag list|taglist|keywords|schlagworte|schlagwoerter|etiketten"
        "|etiquettes|etiquetas|etichette"
    ),
}

TASK: Mapping[Concept, str] = {
    "title": (
        "title|subject|task|task name|name|summary|what|headline|todo|to do|action|betreff|titel"
        "|aufgabe|titulo|asunto|tarea|titre|objet|sujet|tache|titolo|oggetto|onderwerp|message"
    ),
    "body": (
        "body|description|details|detail|notes|note|text|content|comment|comments|memo|beschreibung"
        "|bemerkung|descripcion|detalle|notas|details|descrizione|descricao|omschrijving"
    ),
    "dueDate": (
        "due|due date|duedate|due at|due on|deadline|do by|when|remind at|reminder date"
        "|follow up on|follow up date|followup date|scheduled for|scheduled at|target date|faellig"
        "|faellig am|fallig am|faelligkeit|faelligkeitsdatum|termin|frist|vence|vencimiento"
        "|fecha limite|fecha vencimiento|fecha de vencimiento|echeance|date echeance|date limite"
        "|scadenza|prazo|vervaldatum"
    ),
    "completed": (
        "completed|is completed|done|is done|complete|finished|is finished|closed|is closed"
        "|resolved|status|state|task status|erledigt|abgeschlossen|terminado|terminada|completado"
        "|completada|hecho|hecha|termine|terminee|fait|completato|concluido|estado|statut|voltooid"
    ),
}

STRANGERS: Mapping[Concept, frozenset[str]] = {
    "phone": frozenset(
        [
            "fax",
            "assistant",
            "country",
            "calling",
            "code",
            "ext",
            "extension",
            "emergency",
            "spouse",
        ]
    ),
    "email": frozenset(
        [
            "assistant",
            "invalid",
            "opt",
            "bounced",
            "bounce",
            "normalized",
            "confirmed",
            "count",
            "caps",
        ]
    ),
    "firstName": frozenset(
        [
            "created",
            "creator",
            "modified",
            "assistant",
            "spouse",
            "file",
        ]
    ),
    "lastName": frozenset(
        [
            "created",
            "creator",
            "modified",
            "assistant",
            "spouse",
            "file",
        ]
    ),
    "name": frozenset(
        [
            "created",
            "creator",
            "modified",
            "middle",
            "file",
            "alias",
            "nick",
            "user",
            "company",
            "group",
            "domain",
        ]
    ),
    "country": frozenset(["phone", "phones", "calling"]),
    "state": frozenset(["department", "dept", "abteilung"]),
    "companyName": frozenset(
        [
            "registry",
            "vat",
            "number",
            "size",
        ]
    ),
    "website": frozenset(
        [
            "avatar",
            "photo",
            "image",
            "logo",
            "picture",
        ]
    ),
    "title": frozenset(
        [
            "created",
            "creator",
            "modified",
            "file",
        ]
    ),
}
"""Words with which a column means something else, though the rest of its name is right."""

MOBILE = frozenset(
    [
        "mobile",
        "mobil",
        "cell",
        "cellphone",
        "handy",
        "handynummer",
        "movil",
        "celular",
        "cellulare",
    ]
)
"""Words of a telephone that people carry about."""

COMPANIES = (
    "company companies account accounts organization organizations organisation organisations "
    "societe societes firma firmen unternehmen empresa empresas azienda aziende bedrijf bedrijven "
    "employer employers business businesses"
)
"""Tables of those for whom contacts work."""

COMPANY_NAMES = (
    "name|nom|label|title|company name|display name|bezeichnung|firmenname|nombre|nome|naam"
)

_OF_COMPANIES = ("phone", "email", "website", "address1", "city", "state", "postalCode", "country")
"""What a company has as people have it."""

COMPANY: Mapping[Concept, str] = {
    "companyName": COMPANY_NAMES,
    **{concept: CONTACT[concept] for concept in _OF_COMPANIES},
    "description": "description|about|beschreibung|descripcion|descrizione|descricao|omschrijving",
}

SECRET_WORDS = frozenset(
    [
        "password",
        "passwd",
        "pwd",
        "hash",
        "salt",
        "token",
        "secret",
        "passwort",
        "kennwort",
        "contrasena",
        "motdepasse",
    ]
)
"""Words of columns that are nobody's business but the app's."""

GENDER = "gender|sex|geschlecht|sexe|sexo|genere|genero|geslacht"

NOTE: Mapping[Concept, str] = {
    "body": (
        "body|text|note|notes|content|comment|comments|message|remark|remarks|memo|description"
        "|entry|notiz|notiztext|bemerkung|inhalt|nota|texto|comentario|observacion|observaciones"
        "|contenido|commentaire|texte|contenu|remarque|testo"
    ),
    "title": "title|subject|headline|betreff|titel|titulo|asunto|titre|objet",
}

OPPORTUNITY: Mapping[Concept, str] = {
    "title": (
        "title|name|deal|deal name|opportunity|opportunity name|subject|titel|betreff|bezeichnung"
        "|titulo|asunto|nombre|titre|objet|nom|titolo|oggetto|nome|onderwerp|naam"
    ),
    "pipeline": "pipeline|pipeline name|funnel|sales pipeline|embudo|tunnel|trichter|imbuto|funil",
    "stage": (
        "stage|stage name|deal stage|pipeline stage|sales stage|phase|etapa|fase|etape|fasi|stufe"
    ),
    "status": "status|state|deal status|outcome|result|estado|statut|stato|ergebnis|resultado",
    "monetaryValue": (
        "value|amount|deal value|monetary value|total|price|revenue|expected revenue|wert|betrag"
        "|summe|umsatz|importe|valor|monto|montant|valeur|importo|valore|bedrag|waarde"
    ),
}

ROLE: Mapping[Concept, str] = {
    "modified_at": (
        "updated at|updated on|updated|modified at|modified on|modified|last modified|last updated"
        "|last update|changed at|changed on|last changed|date modified|date updated|modified date"
        "|update time|write date|mtime|tms|geaendert|geaendert am|geandert am|aktualisiert"
        "|aktualisiert am|letzte aenderung|modificado|modificado el|actualizado|actualizado el"
        "|fecha actualizacion|fecha modificacion|modifie le|mis a jour le|date modification"
        "|ultima modifica|aggiornato il"
    ),
    "created": (
        "created|created at|created on|date created|creation date|date entered|create date|datec"
        "|registered|added at|date added|angelegt|angelegt am|erstellt|erstellt am|creado|creado el"
        "|fecha alta|fecha creacion|cree le|date creation|creato il|inserted at"
    ),
    "version": "version|row version|rowversion|lock version|revision|etag|version no",
    "deleted": (
        "deleted|deleted at|is deleted|deleted on|removed at|date deleted|geloescht|geloescht am"
        "|archived|archived at|archived on|is archived|discarded at|trashed at|archiviert am"
        "|eliminado|borrado|supprime|supprime le|cancellato"
    ),
}

TABLES: Mapping[str, str] = {
    "contact": (
        "contact contacts customer customers client clients person people persons patient patients "
        "lead leads member members subscriber subscribers buyer buyers guest guests student "
        "students kunde kunden kontakt kontakte patienten person personen interessenten cliente "
        "clientes paciente pacientes contacto contactos persona personas usager clienti pazienti "
        "paziente contato contatos klant klanten"
    ),
    "company": COMPANIES,
    "not contact": (
        "user users staff employee employees admin admins supplier suppliers vendor vendors agent "
        "agents operator operators account accounts mitarbeiter lieferant lieferanten benutzer "
        "aerzte arzt empleado empleados proveedor proveedores usuario usuarios doctor doctors "
        "medico medicos fournisseur fournisseurs salarie"
    ),
    "task": (
        "task tasks todo todos reminder reminders activity activities followup followups follow "
        "ups up action actions callback callbacks aufgabe aufgaben erinnerung erinnerungen "
        "wiedervorlage wiedervorlagen tarea tareas recordatorio recordatorios tache taches rappel "
        "rappels compito compiti tarefa tarefas taak taken"
    ),
    "note": (
        "note notes comment comments remark remarks memo memos journal notiz notizen bemerkung "
        "bemerkungen nota notas comentario comentarios observacion observaciones commentaire "
        "commentaires remarque remarques appunto appunti"
    ),
    "opportunity": (
        "opportunity opportunities deal deals oportunidad oportunidades opportunite opportunites "
        "affaire affaires opportunita trattativa trattative verkaufschance verkaufschancen "
        "oportunidade oportunidades negocio negocios kans kansen"
    ),
    "tag": (
        "tag tags label labels tagging taggings etikett etiketten schlagwort schlagworte etiqueta "
        "etiquetas etiquette etiquettes"
    ),
    "beside": (
        "address addresses addr adresse adressen direccion direcciones adres adresses indirizzo "
        "indirizzi phone phones telephone telephones telefon telefono telefonos email emails mail "
        "mails detail details profile profiles info"
    ),
    "category": (
        "category categories categorie categories kategorie kategorien categoria "
        "categorias segment segments"
    ),
}

_DONE_WORDS = (
    "done completed complete closed finished resolved yes true erledigt abgeschlossen geschlossen "
    "fertig hecho hecha terminado terminada completado completada cerrado cerrada termine terminee "
    "fait fini clos ferme completato concluido fatto"
)
DONE = frozenset(_DONE_WORDS.split())
"""Words that say that a task is done."""

TOTALS = frozenset(
    [
        "total",
        "totals",
        "sum",
        "summe",
        "gesamt",
        "gesamtsumme",
        "totale",
        "suma",
    ]
)
"""Words with which a line of totals begins."""


def words(name: str) -> tuple[str, ...]:
    """The words of a name in any convention.

    So first_name, firstName, FIRST-NAME and "First name" are one.
    """
    plain = name.replace("ß", "ss")
    plain = "".join(
        c
        for c in unicodedata.normalize(
            "NFKD",
            plain,
        )
        if not unicodedata.combining(c)
    )
    parted = re.sub(
        r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])",
        " ",
        plain,
    )
    parted = re.sub(r"(?<=[A-Za-z])(?=\d)", " ", parted)
    return tuple(re.findall(r"[a-z0-9]+", parted.lower()))


@cache
def _listed(synonyms: str) -> tuple[str, ...]:
    return tuple(" ".join(words(synonym)) for synonym in synonyms.split("|"))


def likeness(
    name: str,
    synonyms: str,
    *,
    context: Sequence[str] = (),
) -> float:
    """How much a name looks like one of the synonyms, from 0 to 1.

    `context` are words of the table that may stand before.
    """
    own = _once(words(name))
    noise = {*_NOISE_WORDS.split(), *context}
    short = {
        word for word in own if len(word) >= 3 and any(whole.startswith(word) for whole in context)
    }
    rest = tuple(word for word in own if word not in noise | short) or own
    known = _listed(synonyms)
    best = 0.0
    for form, worth in ((" ".join(own), 1.0), (" ".join(rest), 0.97)):
        if form in known:
            best = max(best, worth - 0.001 * known.index(form))
        if form.replace(
            " ",
            "",
        ) in {
            synonym.replace(
                " ",
                "",
            )
            for synonym in known
        }:
            best = max(best, worth - 0.03)
        if is_called(form, synonyms) or is_called(_undated(form), synonyms):
            best = max(best, worth - 0.04)
    return best or _loosely(rest, known)


def _undated(form: str) -> str:
    """Without the word that only says what kind of value it is: date_due, body_html."""
    return " ".join(word for word in form.split() if word not in ("date", "html")) or form


def _once(own: tuple[str, ...]) -> tuple[str, ...]:
    """Without a word that comes again, as in emailsPrimaryEmail and nameFirstName."""
    singular = [word.removesuffix("s") for word in own]
    unique = [word for at, word in enumerate(own) if singular[at] not in singular[at + 1 :]]
    return tuple(unique)


def _loosely(
    rest: tuple[str, ...],
    known: tuple[str, ...],
) -> float:
    """For a name with a slip of the pen, or with a word more than any synonym has."""
    joined = " ".join(rest)
    closest = max(
        (
            difflib.SequenceMatcher(
                None,
                joined,
                synonym,
            ).ratio()
            for synonym in known
        ),
        default=0.0,
    )
    if closest >= 0.86 and len(joined) > 4:
        return 0.8 * closest
    contained = [
        synonym for synonym in known if len(synonym) > 3 and set(synonym.split()) < set(rest)
    ]
    return 0.6 if contained and len(rest) <= 4 else 0.0


def is_called(
    name: str,
    synonyms: str,
) -> bool:
    """Whether a name is one of the synonyms, in whichever order its words stand."""
    own = words(name)
    return tuple(sorted(own)) in _sorted(synonyms)


@cache
def _sorted(synonyms: str) -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(sorted(words(synonym))) for synonym in synonyms.split("|"))


def is_one_of(
    one: str,
    many: str,
) -> bool:
    """Whether two words are the same but for their number.

    So are address and addresses, country and countries.
    """
    return not _forms(one).isdisjoint(_forms(many))


def _forms(word: str) -> set[str]:
    endings = ("", "s", "es")
    forms = {word.removesuffix(ending) for ending in endings}
    return forms | ({f"{word[:-3]}y"} if word.endswith("ies") else set())


def table_likeness(
    name: str,
    said: str,
) -> float:
    """Whether the words of a table's name, or its last word, are a word for that kind of thing."""
    known = set(said.split())
    own = words(name)
    if not own:
        return 0.0
    singular = own[-1] in known or "".join(own) in known
    if singular:
        return 1.0
    if known.intersection(own):
        return 0.5
    return 0.0
