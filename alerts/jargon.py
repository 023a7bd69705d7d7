"""Words of the trade that residents don't use, each with a plain one; ``*`` stands for any ending; pure data."""

from __future__ import annotations

PLAIN: dict[str, dict[str, str]] = {
    "de": {
        "abkochgebot*": "Kochen Sie das Wasser ab",
        "anwohnerschaft*": "Anwohner",
        "aufsuchen": "gehen zu",
        "bedrohungslage*": "Angriff",
        "betreuungsplatz*": "Notunterkunft",
        "betreuungsstelle*": "Notunterkunft",
        "bezüglich": "zu",
        "bos": "Polizei, Feuerwehr und Rettungsdienst",
        "dekontamin*": "abwaschen",
        "delaborier*": "entschärfen",
        "detonation*": "Explosion",
        "diesbezüglich": "dazu",
        "einsatzstelle*": "Ort",
        "elw": "Einsatzleitung",
        "emission*": "Rauch, Staub oder Gas",
        "entfluchtung*": "Verlassen Sie das Gebiet",
        "etwaig*": "mögliche",
        "evakuier*": "das Gebiet verlassen",
        "fernmündlich*": "am Telefon",
        "fußläufig*": "zu Fuß",
        "gefahrenbereich*": "Gebiet",
        "gefahrenstelle*": "gefährlicher Ort",
        "gefahrstoff*": "giftiger Stoff",
        "gegebenenfalls": "wenn nötig",
        "großschadenslage*": "Unglück",
        "havarie*": "Schaden",
        "hinsichtlich": "zu",
        "immission*": "Rauch, Staub oder Gas",
        "individualverkehr*": "Autos",
        "kampfmittel*": "Bombe",
        "kbd": "Fachleute für Bomben",
        "kfz": "Auto",
        "kontamin*": "verschmutzt",
        "kraftfahrzeug*": "Auto",
        "leckage*": "Leck",
        "lichtsignalanlage*": "Ampel",
        "lsa": "Ampel",
        "lz": "Feuerwehr",
        "mittels": "mit",
        "netzersatzanlage*": "Notstrom",
        "niederschlag*": "Regen oder Schnee",
        "nutzwasser*": "Wasser, das nicht zum Trinken ist",
        "personenschaden": "Verletzte",
        "personenschäden": "Verletzte",
        "präventiv*": "zur Vorsicht",
        "prophylaktisch*": "zur Vorsicht",
        "rauchgas*": "Rauch",
        "schadenslage*": "Unglück",
        "schadensereignis*": "Unglück",
        "schadstoff*": "giftiger Stoff",
        "schienenersatzverkehr*": "Ersatzbusse",
        "seitens": "von",
        "sev": "Ersatzbusse",
        "sukzessiv*": "nach und nach",
        "tangier*": "betreffen",
        "temporär*": "für einige Zeit",
        "umgehend": "sofort",
        "unverzüglich*": "sofort",
        "verkehrsinfrastruktur*": "Straßen und Schienen",
        "vollsperrung*": "gesperrte Straße",
        "witterungs*": "Wetter",
        "zeitnah*": "bis (mit Uhrzeit)",
        "zwecks": "für",
        "öpnv": "Bus und Bahn",
    },
    "en": {
        "ascertain*": "find out",
        "casualt*": "injured or dead people",
        "commenc*": "start",
        "conflagration*": "fire",
        "contaminat*": "polluted",
        "cordon*": "closed area",
        "decontaminat*": "wash",
        "detonat*": "explode",
        "egress*": "way out",
        "endeavour*": "try",
        "eod": "bomb experts",
        "evacuate": "leave the area",
        "evacuating": "leaving the area",
        "hazmat": "dangerous substance",
        "ingress*": "way in",
        "inundat*": "flooded",
        "mitigat*": "reduce",
        "motorist*": "drivers",
        "ordnance*": "bomb",
        "perimeter*": "edge of the area",
        "personnel": "people",
        "potable": "safe to drink",
        "precipitation": "rain or snow",
        "premises": "building",
        "pursuant": "under",
        "refrain*": "do not",
        "regarding": "about",
        "terminat*": "end",
        "utilis*": "use",
        "utiliz*": "use",
        "uxo": "bomb",
        "vicinity": "area nearby",
    },
}

SHORTENED: dict[str, dict[str, str]] = {
    "de": {
        "bzw.": "oder",
        "ca.": "etwa",
        "d.h.": "das heißt",
        "evtl.": "vielleicht",
        "ggf.": "wenn nötig",
        "i.d.R.": "meistens",
        "inkl.": "mit",
        "lt.": "laut",
        "max.": "höchstens",
        "mind.": "mindestens",
        "Std.": "Stunden",
        "u.a.": "unter anderem",
        "usw.": "und so weiter",
        "z.B.": "zum Beispiel",
        "z.T.": "zum Teil",
        "z.Zt.": "zurzeit",
    },
    "en": {
        "approx.": "about",
        "e.g.": "for example",
        "etc.": "and so on",
        "i.e.": "that is",
        "max.": "at most",
    },
}
"""Shortened words with dots, without the spaces that may stand in them."""

KNOWN = set(
    """
    AED BBC CAP DAB DB DHL DRK DWD EC EU FM GPS IC ICE ID KVB LKW LVB MDR NDR NHS NINA PIN PKW QR RTW SMS SWR THW
    TV UK UKW UN USA WC WDR WLAN II III IV VI VII
    """.split()  # noqa: SIM905  (words read best as words)
)
"""Words of capitals that residents read without help."""

LOUD = set(
    """
    ALLE BITTE EILT HALT HIER JETZT KEIN KEINE NICHT NIE NOT NUR RAUS STOP STOPP WEG
    ALL DO GO HERE LEAVE NEVER NO NOW OFF ONLY OUT STAY URGENT
    """.split()  # noqa: SIM905
)
"""Short words that are no abbreviation when they stand in capitals."""
