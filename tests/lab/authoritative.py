"""The configuration of BIND, NSD and Knot DNS in the tests that start one with a zone, each in its own directory.

These are the last parts. Each test puts its own identity and listen addresses before them.
"""

ZONE = """\
$TTL 60
@ SOA ns.{zone}. hostmaster.{zone}. {mark} 3600 600 86400 60
@ NS ns
ns A {address}
"""

BIND = """\
    directory "{folder}"; pid-file none; session-keyfile none; dnssec-validation no; recursion no;
}};
statistics-channels {{ inet 127.0.0.1 port 8053 allow {{ 127.0.0.1; }}; }};
zone "{zone}" {{ type primary; file "{zone_file}"; }};
"""

NSD = """\
    zonesdir: "{folder}"
    xfrdir: "{folder}"
    database: ""
    xfrdfile: "{folder}/xfrd.state"
    zonelistfile: "{folder}/zone.list"
remote-control:
    control-enable: yes
    control-interface: {folder}/nsd.ctl
zone:
    name: {zone}
    zonefile: "{zone_file}"
"""

KNOT = """\
log:
  - target: stderr
    any: info
database:
    storage: {folder}
mod-stats:
  - id: custom
    server-operation: on
    response-code: on
template:
  - id: default
    zonefile-sync: -1
    global-module: mod-stats/custom
zone:
  - domain: {zone}
    file: {zone_file}
"""
