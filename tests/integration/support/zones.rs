//! A DNS server on port 53 of a loopback address, which the program asks for serials.

use std::io::ErrorKind;
use std::net::UdpSocket;

use super::lacks;

/// Binds port 53 of this address. Only root may, and another server may listen there; then the test is skipped.
pub(crate) fn port_53(address: &str) -> Option<UdpSocket> {
    match UdpSocket::bind((address, 53)) {
        Err(error) if [ErrorKind::PermissionDenied, ErrorKind::AddrInUse].contains(&error.kind()) => {
            lacks(&format!("port 53 of {address} to be had: {error}"));
            None
        }
        socket => Some(socket.unwrap()),
    }
}

/// Answers every query with a SOA with the serial of the name, or without one.
pub(crate) fn serves_zones(socket: &UdpSocket, serial: impl Fn(&str) -> Option<u32>) {
    serves_zones_unless_silent(socket, || false, serial);
}

/// The same, and does not answer while `is_silent`.
pub(crate) fn serves_zones_unless_silent(
    socket: &UdpSocket,
    is_silent: impl Fn() -> bool,
    serial: impl Fn(&str) -> Option<u32>,
) {
    let mut query = [0; 512];
    while let Ok((size, client)) = socket.recv_from(&mut query) {
        if is_silent() {
            continue;
        }
        let length = query[12..size].iter().position(|length| *length == 0).unwrap();
        let question = &query[12..12 + length + 5];
        let mut answer = [&query[..2], &[0x84, 0, 0, 1, 0, 0, 0, 0, 0, 0], question].concat();
        if let Some(serial) = serial(&name_of(&query[12..12 + length])) {
            answer[7] = 1;
            answer.extend([0xc0, 12, 0, 6, 0, 1, 0, 0, 0, 0, 0, 22, 0, 0]);
            answer.extend(serial.to_be_bytes());
            answer.extend([0; 16]);
        }
        socket.send_to(&answer, client).unwrap();
    }
}

/// The name of these labels, with a dot after each, in lower case.
fn name_of(mut labels: &[u8]) -> String {
    let mut name = String::new();
    while let Some((length, rest)) = labels.split_first() {
        let (label, rest) = rest.split_at(usize::from(*length));
        name.push_str(&String::from_utf8_lossy(label).to_ascii_lowercase());
        name.push('.');
        labels = rest;
    }
    name
}
