//! Findings, with their identifiers and severities.

use serde::Serialize;

use crate::text::words::words;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Severity {
    /// The service works, but a fault or a restart will cost more than it has to.
    Warning,
    /// A route is lost, attracts traffic that is not answered, or will be left behind.
    Error,
}

words! {
    /// What is wrong. docs/doctor.md explains each by its word.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub(crate) enum Id {
        /// The configuration of dnsherald is missing or refused.
        Configuration = "configuration" (Severity::Error),
        /// No service is enabled.
        NothingEnabled = "nothing-enabled" (Severity::Warning),
        /// This version of ExaBGP has faults that concern helpers.
        ExaBgpVersion = "exabgp-version" (Severity::Warning),
        /// ExaBGP does not understand the dialect that the configuration pins.
        Dialect = "dialect" (Severity::Error),
        /// ExaBGP answers no command.
        AcksOff = "acks-off" (Severity::Error),
        /// ExaBGP starts no dnsherald with this configuration.
        ProcessMissing = "process-missing" (Severity::Error),
        /// ExaBGP 4 and 5 refuse a process without an encoder.
        EncoderMissing = "encoder-missing" (Severity::Error),
        /// ExaBGP does not restart the helper.
        RespawnOff = "respawn-off" (Severity::Error),
        /// No neighbor lists the process.
        NoNeighbor = "no-neighbor" (Severity::Error),
        /// A neighbor does not list the process, while others do.
        ProcessNotListed = "process-not-listed" (Severity::Warning),
        /// The configuration names a neighbor that ExaBGP does not have.
        NeighborUnknown = "neighbor-unknown" (Severity::Error),
        /// No neighbor that receives a prefix exchanges its family.
        FamilyMissing = "family-missing" (Severity::Error),
        /// An IPv6 prefix with `next-hop self` on an IPv4 session.
        NextHopSelf = "next-hop-self" (Severity::Error),
        /// A next hop that is not in the network of the session.
        NextHopOffLink = "next-hop-off-link" (Severity::Warning),
        /// Graceful restart without `manual-eor`.
        GracefulRestart = "graceful-restart" (Severity::Warning),
        /// `manual-eor` without a helper that sends End-of-RIB.
        EndOfRib = "end-of-rib" (Severity::Warning),
        /// A hold time above 30 s, and no BFD.
        HoldTime = "hold-time" (Severity::Warning),
        /// Routes are not kept for the next session.
        AdjRibOut = "adj-rib-out" (Severity::Warning),
        /// No ExaBGP runs.
        ExaBgpStopped = "exabgp-stopped" (Severity::Error),
        /// Two ExaBGPs run with one file.
        ExaBgpTwice = "exabgp-twice" (Severity::Error),
        /// ExaBGP runs, and the helper does not.
        HelperMissing = "helper-missing" (Severity::Error),
        /// Every BGP session is down.
        SessionsDown = "sessions-down" (Severity::Error),
        /// A BGP session is down, while another is not.
        SessionDown = "session-down" (Severity::Warning),
        /// The helper's user cannot write to its own directories.
        DirectoryAccess = "directory-access" (Severity::Error),
        /// The helper's user cannot use the control channel of the server.
        ControlAccess = "control-access" (Severity::Warning),
        /// A service address is not on this host.
        AddressMissing = "address-missing" (Severity::Error),
        /// A management address is not on this host.
        ManagementMissing = "management-missing" (Severity::Error),
        /// The server's configuration on disk is broken.
        ServerConfiguration = "server-configuration" (Severity::Error),
        /// Two servers share an address and port.
        TwoServers = "two-servers" (Severity::Error),
        /// The server does not listen at a service address.
        NotListening = "not-listening" (Severity::Error),
        /// The server refuses the probes.
        ProbeRefused = "probe-refused" (Severity::Error),
        /// The server does not answer.
        NoAnswer = "no-answer" (Severity::Error),
        /// The server limits the rate of answers, for probes as well.
        RateLimit = "rate-limit" (Severity::Warning),
        /// This host cannot answer clients.
        NoRoute = "no-route" (Severity::Error),
        /// There is no default route, and perhaps one to each client.
        NoDefaultRoute = "no-default-route" (Severity::Warning),
        /// The kernel drops packets of clients.
        RpFilter = "rp-filter" (Severity::Error),
        /// A unit has no drop-in of dnsherald.
        DropInMissing = "drop-in-missing" (Severity::Warning),
        /// The drop-in of a unit has no effect, or not all of it.
        DropInOverridden = "drop-in-overridden" (Severity::Warning),
        /// systemd ends a stop before the drain is complete.
        StopTimeout = "stop-timeout" (Severity::Warning),
        /// systemd has not read the files of a unit since they changed.
        DaemonReload = "daemon-reload" (Severity::Warning),
        /// The clock is not synchronized.
        Clock = "clock" (Severity::Warning),
    }
    /// How bad it is.
    fn severity -> Severity;
    "unknown finding `{}`"
}

/// One thing that is wrong, and what to do about it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Finding {
    /// What kind of fault it is.
    pub(crate) id: Id,
    /// That of the kind.
    pub(crate) severity: Severity,
    /// A sentence that names the object. Foreign text in it is escaped.
    pub(crate) what: String,
    /// What to do.
    pub(crate) remedy: String,
}

/// The result of one check that could be made.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Examined {
    /// What is wrong.
    pub(crate) findings: Vec<Finding>,
    /// Why it could not be made in full.
    pub(crate) unknown: Vec<String>,
}

impl Examined {
    /// Adds a finding.
    pub(crate) fn find(&mut self, id: Id, what: impl Into<String>, remedy: impl Into<String>) {
        let finding = Finding { id, severity: id.severity(), what: what.into(), remedy: remedy.into() };
        self.findings.push(finding);
    }

    /// Adds the reason why a part could not be checked, once.
    pub(crate) fn skip(&mut self, why: impl Into<String>) {
        let why = why.into();
        if !self.unknown.contains(&why) {
            self.unknown.push(why);
        }
    }
}
