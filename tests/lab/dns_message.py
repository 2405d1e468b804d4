"""DNS messages of the client: a query for a TXT record, and the text in its answer."""

import struct

TXT = 16
INTERNET = 1
RECURSION_DESIRED = 0x0100


def txt_question(identifier, name):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split("."))
    header = struct.pack("!6H", identifier, RECURSION_DESIRED, 1, 0, 0, 0)
    return header + labels + b"\0" + struct.pack("!2H", TXT, INTERNET)


def identifier_of(message):
    return struct.unpack_from("!H", message)[0]


def txt_answer(message, question):
    """The first string of the first answer record, or None. The record follows a copy of the question."""
    _, flags, _, answers = struct.unpack_from("!4H", message)
    if flags & 0x000F or not answers:
        return None
    # The name is a two-byte pointer to the question; type, class, time to live and length follow.
    text = len(question) + 2 + 10
    return message[text + 1 : text + 1 + message[text]].decode(errors="replace")
