//! Catalog zones (RFC 9432): the list of zones of a primary, read by zone transfer (AXFR, RFC 5936).

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io;

use hickory_resolver::proto::op::{Message, MessageType, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::proto::serialize::binary::BinEncodable;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use super::ask::Server;
use super::ledger::MOST_ZONES;
use crate::probe::dns::{Rcode, names_are_endless};
use crate::text::ordered;

/// Maximum size of a transfer, in octets.
const MOST_OCTETS: usize = 64 * 1024 * 1024;

/// Transfers the catalog zone and returns the names of its members. It has no deadline; its caller drops it.
///
/// # Errors
/// A sentence that names the server, if it refuses the transfer or the catalog must not be used.
pub(super) async fn members(server: &Server, catalog: &str) -> Result<Vec<String>, String> {
    let transferred = transfer(server, catalog).await.and_then(|transfer| Ok(transfer.members()?));
    transferred.map_err(|why| format!("catalog zone {catalog} of {server}: {why}"))
}

async fn transfer(server: &Server, catalog: &str) -> Result<Transfer, Box<dyn Error + Send + Sync>> {
    let name = Name::from_ascii(catalog)?;
    let mut query = Message::query();
    query.metadata.recursion_desired = false;
    query.add_query(Query::query(name.clone(), RecordType::AXFR));
    let id = query.id;
    let octets = query.to_bytes()?;
    let mut stream = connect(server).await?;
    let framed = [&u16::try_from(octets.len())?.to_be_bytes()[..], &octets].concat();
    stream.write_all(&framed).await?;
    let (mut transfer, mut message, mut total) = (Transfer::new(name), vec![], 0);
    while !transfer.is_over() {
        let length = stream.read_u16().await?;
        message.resize(length.into(), 0);
        stream.read_exact(&mut message).await?;
        total += message.len();
        if total > MOST_OCTETS {
            return Err(format!("more than {} MiB", MOST_OCTETS >> 20).into());
        }
        if names_are_endless(&message) {
            return Err("a message with names of endless compression pointers".into());
        }
        let message = Message::from_vec(&message)?;
        if message.id != id || message.message_type != MessageType::Response {
            return Err("a message that is no answer to the transfer".into());
        }
        transfer.add_message(&message)?;
    }
    Ok(transfer)
}

async fn connect(server: &Server) -> io::Result<tokio::net::TcpStream> {
    let socket = if server.address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_zero_linger()?;
    if let Some(device) = &server.locality.device {
        socket.bind_device(Some(device.as_bytes()))?;
    }
    if let Some(source) = server.source {
        socket.bind((source, 0).into())?;
    }
    socket.connect(server.address).await
}

/// A transfer under way.
#[derive(Debug)]
struct Transfer {
    catalog: Name,
    /// SOA records seen: the zone begins with it and ends with it.
    soas: u32,
    version: Option<String>,
    /// By their unique labels.
    members: BTreeMap<Name, Name>,
}

impl Transfer {
    const fn new(catalog: Name) -> Self {
        Self { catalog, soas: 0, version: None, members: BTreeMap::new() }
    }

    const fn is_over(&self) -> bool {
        self.soas >= 2
    }

    fn add_message(&mut self, message: &Message) -> Result<(), String> {
        if message.response_code != ResponseCode::NoError {
            return Err(format!("answers {}", Rcode::from(message.response_code)));
        }
        if message.answers.is_empty() {
            return Err("a message without records".to_owned());
        }
        message.answers.iter().try_for_each(|record| self.record(record))
    }

    fn record(&mut self, record: &Record) -> Result<(), String> {
        match &record.data {
            RData::SOA(_) if record.name == self.catalog => self.soas += 1,
            _ if self.soas == 0 => return Err("does not begin with its SOA".to_owned()),
            RData::TXT(text) if self.is_below(&record.name, 1, b"version") => {
                if self.version.is_some() {
                    return Err("has several versions, expected one".to_owned());
                }
                self.version = Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned());
            }
            // `UNIQUE.zones.CATALOG` (RFC 9432 section 4.1).
            RData::PTR(member) if self.is_below(&record.name, 2, b"zones") => {
                if self.members.insert(record.name.to_lowercase(), member.0.to_lowercase()).is_some() {
                    let owner = record.name.to_ascii();
                    return Err(format!("{owner} has several PTR records, expected one"));
                }
                if self.members.len() > MOST_ZONES {
                    return Err(format!("more than {MOST_ZONES} members"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether the name has so many labels before the catalog's, of which the last is `wanted`.
    fn is_below(&self, name: &Name, labels: u8, wanted: &[u8]) -> bool {
        name.num_labels() == self.catalog.num_labels() + labels
            && self.catalog.zone_of(name)
            && name
                .iter()
                .nth(usize::from(labels) - 1)
                .is_some_and(|label| label.eq_ignore_ascii_case(wanted))
    }

    /// The members, unless the catalog is broken: it must not be used then (RFC 9432 sections 3 and 4).
    fn members(self) -> Result<Vec<String>, String> {
        match self.version.as_deref() {
            Some("2") => {}
            Some(version) => {
                return Err(format!("version `{}`, expected 2", version.escape_debug()));
            }
            None => return Err("no TXT record at `version`, expected version 2".to_owned()),
        }
        let count = self.members.len();
        let names: BTreeSet<_> = ordered(self.members.into_values());
        if names.len() < count {
            return Err("a zone is a member twice".to_owned());
        }
        Ok(names.into_iter().map(|name| name.to_ascii()).collect())
    }
}

#[cfg(test)]
mod tests;
