"""What BIND, NSD and Knot DNS are told wherever a test starts one that serves a zone, in a folder of its own.

Here is the end of each configuration. Who the server is and where it listens, which comes before, differs.
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
template:
  - id: default
    zonefile-sync: -1
    global-module: mod-stats/custom
zone:
  - domain: {zone}
    file: {zone_file}
"""
