//! Record types by their mnemonics or numbers.

use hickory_resolver::proto::rr::RecordType;

/// Mnemonics of the IANA registry "Resource Record (RR) TYPEs" that hickory does not name.
const MNEMONICS: &[(u16, &str)] = &[
    (14, "MINFO"),
    (17, "RP"),
    (18, "AFSDB"),
    (19, "X25"),
    (20, "ISDN"),
    (21, "RT"),
    (26, "PX"),
    (27, "GPOS"),
    (29, "LOC"),
    (36, "KX"),
    (42, "APL"),
    (45, "IPSECKEY"),
    (49, "DHCID"),
    (55, "HIP"),
    (58, "TALINK"),
    (63, "ZONEMD"),
    (66, "DSYNC"),
    (99, "SPF"),
    (104, "NID"),
    (105, "L32"),
    (106, "L64"),
    (107, "LP"),
    (108, "EUI48"),
    (109, "EUI64"),
    (128, "NXNAME"),
    (256, "URI"),
    (258, "AVC"),
    (259, "DOA"),
    (260, "AMTRELAY"),
    (261, "RESINFO"),
    (262, "WALLET"),
    (32768, "TA"),
    (32769, "DLV"),
];

/// The mnemonic of a type, or `TYPE123` (RFC 3597 §5).
pub(super) fn type_word(record_type: RecordType) -> String {
    let RecordType::Unknown(number) = record_type else { return record_type.to_string() };
    match MNEMONICS.iter().find(|(known, _)| *known == number) {
        Some((_, mnemonic)) => (*mnemonic).to_owned(),
        None => format!("TYPE{number}"),
    }
}

/// Takes a mnemonic of any case, or `TYPE123` (RFC 3597 §5).
pub(super) fn parse_type(word: &str) -> Result<RecordType, String> {
    let word = word.to_ascii_uppercase();
    let number = word.strip_prefix("TYPE").and_then(|number| number.parse::<u16>().ok());
    let named = || MNEMONICS.iter().find(|(_, mnemonic)| *mnemonic == word).map(|(number, _)| *number);
    let record_type = match number.or_else(named) {
        Some(number) => RecordType::from(number),
        None => word
            .parse()
            .map_err(|_| format!("unknown record type `{word}`, expected one like A, SOA, TXT or TYPE123"))?,
    };
    match record_type {
        RecordType::AXFR | RecordType::IXFR | RecordType::OPT | RecordType::TSIG => {
            Err(format!("record type `{word}` is not asked for by a question that has one answer"))
        }
        _ => Ok(record_type),
    }
}
