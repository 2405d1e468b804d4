//! `dnsherald run` with the test in the place of ExaBGP.
