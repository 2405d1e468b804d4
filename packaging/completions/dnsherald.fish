# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_dnsherald_global_optspecs
    string join \n h/help V/version
end

function __fish_dnsherald_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_dnsherald_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_dnsherald_using_subcommand
    set -l cmd (__fish_dnsherald_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c dnsherald -n "__fish_dnsherald_needs_command" -s h -l help -d 'Print help'
complete -c dnsherald -n "__fish_dnsherald_needs_command" -s V -l version -d 'Print version'
complete -c dnsherald -n "__fish_dnsherald_needs_command" -f -a "run" -d 'Probe, decide, and tell ExaBGP to announce or withdraw; ExaBGP starts this as a process'
complete -c dnsherald -n "__fish_dnsherald_needs_command" -f -a "check" -d 'Probe once and show the result'
complete -c dnsherald -n "__fish_dnsherald_needs_command" -f -a "check-config" -d 'Show the errors of a configuration, or what it means'
complete -c dnsherald -n "__fish_dnsherald_needs_command" -f -a "config-schema" -d 'Print every key of the configuration as JSON Schema, for editors'
complete -c dnsherald -n "__fish_dnsherald_needs_command" -f -a "status" -d 'Show the state of the running helper: services, prefixes, checks, drains, ExaBGP'
complete -c dnsherald -n "__fish_dnsherald_needs_command" -f -a "explain" -d 'Show why a service is announced or withdrawn: the chain from its probes to its routes'
complete -c dnsherald -n "__fish_dnsherald_needs_command" -f -a "history" -d 'Show what happened: transitions, drains, holds, reloads, starts, BGP session changes, with their times'
complete -c dnsherald -n "__fish_dnsherald_needs_command" -f -a "metrics" -d 'Print the metrics of the running helper in the text format of Prometheus'
complete -c dnsherald -n "__fish_dnsherald_needs_command" -f -a "drain" -d 'Withdraw a service, or all, for maintenance'
complete -c dnsherald -n "__fish_dnsherald_needs_command" -f -a "undrain" -d 'End drains'
complete -c dnsherald -n "__fish_dnsherald_needs_command" -f -a "hold" -d 'Keep a service announced against its checks, for the operator who knows that a check is wrong'
complete -c dnsherald -n "__fish_dnsherald_needs_command" -f -a "unhold" -d 'End holds, so that the checks decide again'
complete -c dnsherald -n "__fish_dnsherald_needs_command" -f -a "undampen" -d 'Clear the effects of repeated falls on a service, or on all: penalty, suppression, longer time to return'
complete -c dnsherald -n "__fish_dnsherald_needs_command" -f -a "reload" -d 'Make the running helper read its configuration again'
complete -c dnsherald -n "__fish_dnsherald_needs_command" -f -a "identify" -d 'Show which node answers at an address, and how flows split over nodes'
complete -c dnsherald -n "__fish_dnsherald_needs_command" -f -a "doctor" -d 'Find what is wrong on this host, each finding with its remedy'
complete -c dnsherald -n "__fish_dnsherald_needs_command" -f -a "simulate" -d 'Run the engine in virtual time over a written, recorded or generated trace'
complete -c dnsherald -n "__fish_dnsherald_needs_command" -f -a "healthcheck" -d 'Replace `exabgp healthcheck`, with all its options'
complete -c dnsherald -n "__fish_dnsherald_needs_command" -f -a "backend" -d 'Manage the stock DNS server of this host: state, configuration check, reload, restart'
complete -c dnsherald -n "__fish_dnsherald_needs_command" -f -a "completions" -d 'Print the completions of commands and options for a shell'
complete -c dnsherald -n "__fish_dnsherald_needs_command" -f -a "demo" -d 'Show failover in twenty seconds: an embedded DNS server with scripted faults, real probes, real decisions'
complete -c dnsherald -n "__fish_dnsherald_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand run" -s c -l config -d 'The configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand run" -l state -d 'Keep the state that survives a restart in DIR, whatever the configuration says' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand run" -l record -d 'Write every event of the engine to FILE, as a trace for `simulate`' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand run" -l log-format -d 'The form of the log' -r -f -a "auto\t'Entries of the journal under systemd, else text'
text\t'A line of text for each message, with its time'
json\t'A JSON object on each line'"
complete -c dnsherald -n "__fish_dnsherald_using_subcommand run" -l exit-on-bad-config -d 'Exit with status 78 if the configuration is bad at start, instead of waiting for a good one'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand check" -s c -l config -d 'The configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand check" -l json -d 'Print JSON'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand check" -l plugin -d 'Print one line as monitoring plugins do: the result of the probes, whatever the helper announces; alert on `status --plugin` instead'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand check-config" -s c -l config -d 'The configuration file, as an option like that of the other commands' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand check-config" -s q -l quiet -d 'Print nothing if the configuration is valid'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand check-config" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand config-schema" -l markdown -d 'Print tables of Markdown instead, as in the documentation'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand config-schema" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand status" -s c -l config -d 'The configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand status" -l control -d 'The directory of the helper\'s sockets; default: find the helper of the configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand status" -l json -d 'Print JSON'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand status" -l plugin -d 'Print one line as monitoring plugins do: whether every service attracts traffic'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand status" -l exit-code -d 'Exit by the state, with the status of `--plugin`: 0 ok, 1 warning, 2 critical, 3 no helper runs'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand status" -s w -l watch -d 'Show the status again every second, until `q`'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand explain" -s c -l config -d 'The configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand explain" -l control -d 'The directory of the helper\'s sockets; default: find the helper of the configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand explain" -l json -d 'Print JSON'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand history" -s c -l config -d 'The configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand history" -l control -d 'The directory of the helper\'s sockets; default: find the helper of the configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand history" -l since -d 'Only from this time on: a period before now such as 2h, or a time as `history` prints it, such as 02:10 or 2026-11-26 22:04:31; with T and Z it is UTC' -r
complete -c dnsherald -n "__fish_dnsherald_using_subcommand history" -l until -d 'Only until this time, as for --since; the minute or second that it names is included' -r
complete -c dnsherald -n "__fish_dnsherald_using_subcommand history" -l dump -d 'Write what the flight recorder of the running helper holds to a new file, as a trace for `simulate`' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand history" -l json -d 'Print one line of JSON for each entry'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand history" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand metrics" -s c -l config -d 'The configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand metrics" -l control -d 'The directory of the helper\'s sockets; default: find the helper of the configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand metrics" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand drain" -s c -l config -d 'The configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand drain" -l control -d 'The directory of the helper\'s sockets; default: find the helper of the configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand drain" -l for -d 'End the drain after this time, such as 2h or 90s; default: it lasts until `undrain`' -r
complete -c dnsherald -n "__fish_dnsherald_using_subcommand drain" -l reason -d 'The reason, shown by `status`' -r
complete -c dnsherald -n "__fish_dnsherald_using_subcommand drain" -l as -d 'The holder; only `undrain` with the same name, or with no name, ends the drain; default: the calling user ($SUDO_USER under sudo)' -r
complete -c dnsherald -n "__fish_dnsherald_using_subcommand drain" -l until-exit -d 'End the drain with the running helper, so that the next helper does not inherit it'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand drain" -l wait -d 'Return when ExaBGP has acknowledged the withdraws and the backend of the service is quiet, or `max-wait` is over'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand drain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand undrain" -s c -l config -d 'The configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand undrain" -l control -d 'The directory of the helper\'s sockets; default: find the helper of the configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand undrain" -l as -d 'Only the drain of this holder' -r
complete -c dnsherald -n "__fish_dnsherald_using_subcommand undrain" -l once-healthy -d 'Keep the drain until no check takes the service down, after all have begun anew; those that a hold overrode when the drains began do not count'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand undrain" -l wait -d 'Return when the services are announced and ExaBGP has acknowledged that'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand undrain" -l quiet-if-none -d 'If there is no drain to end, print nothing and exit with 0'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand undrain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand hold" -s c -l config -d 'The configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand hold" -l control -d 'The directory of the helper\'s sockets; default: find the helper of the configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand hold" -l for -d 'End the hold after this time, such as 2h or 90s; at most 24h' -r
complete -c dnsherald -n "__fish_dnsherald_using_subcommand hold" -l reason -d 'The reason, shown by `status`' -r
complete -c dnsherald -n "__fish_dnsherald_using_subcommand hold" -l as -d 'The holder; default: the calling user ($SUDO_USER under sudo)' -r
complete -c dnsherald -n "__fish_dnsherald_using_subcommand hold" -l wait -d 'Return when the service is announced and ExaBGP has acknowledged that, after at most 60 seconds'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand hold" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand unhold" -s c -l config -d 'The configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand unhold" -l control -d 'The directory of the helper\'s sockets; default: find the helper of the configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand unhold" -l as -d 'Only the hold of this holder' -r
complete -c dnsherald -n "__fish_dnsherald_using_subcommand unhold" -l quiet-if-none -d 'If there is no hold to end, print nothing and exit with 0'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand unhold" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand undampen" -s c -l config -d 'The configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand undampen" -l control -d 'The directory of the helper\'s sockets; default: find the helper of the configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand undampen" -l quiet-if-none -d 'If there is nothing to clear, print nothing and exit with 0'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand undampen" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand reload" -s c -l config -d 'The configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand reload" -l control -d 'The directory of the helper\'s sockets; default: find the helper of the configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand reload" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand identify" -l flows -d 'Ask each address on N flows, each with its own source port, and show how they split over nodes' -r
complete -c dnsherald -n "__fish_dnsherald_using_subcommand identify" -l expect -d 'Compare the nodes with those in FILE: a name on each line, empty lines and `#` comments are skipped' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand identify" -l large -d 'The question with a large answer: whether it arrives over UDP, in fragments, or over TCP after truncation' -r
complete -c dnsherald -n "__fish_dnsherald_using_subcommand identify" -l source -d 'Ask from this address of this host' -r
complete -c dnsherald -n "__fish_dnsherald_using_subcommand identify" -l timeout -d 'The longest wait for a connection, and for each answer, from 10ms to 60s' -r
complete -c dnsherald -n "__fish_dnsherald_using_subcommand identify" -l watch -d 'Ask again every second on the same flows, and print a line when another node answers, until interrupted'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand identify" -l json -d 'Print JSON; with `--watch`, a line for each change'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand identify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand doctor" -s c -l config -d 'The configuration file; default: that of the helper in the files of ExaBGP' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand doctor" -l exabgp-conf -d 'A file of ExaBGP; default: those of the running ExaBGP, else /etc/exabgp/exabgp.conf' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand doctor" -l json -d 'Print JSON'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand simulate" -s c -l config -d 'The configuration file; default: the configuration in the trace' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand simulate" -s t -l trace -d 'The trace; `-` for standard input' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand simulate" -l flap -d 'The server serves for TIME, fails for TIME, and so on' -r
complete -c dnsherald -n "__fish_dnsherald_using_subcommand simulate" -l mtbf -d 'The server fails at random, on average TIME after the last repair' -r
complete -c dnsherald -n "__fish_dnsherald_using_subcommand simulate" -l mttr -d 'The mean time to a repair' -r
complete -c dnsherald -n "__fish_dnsherald_using_subcommand simulate" -l loss -d 'The share of packets that is lost at random, such as 5%' -r
complete -c dnsherald -n "__fish_dnsherald_using_subcommand simulate" -l fault -d 'What a probe finds while the server fails: a cause as in `on-fail`, such as timeout or refused; a wrong one prints the list' -r
complete -c dnsherald -n "__fish_dnsherald_using_subcommand simulate" -l for -d 'The length of the trace' -r
complete -c dnsherald -n "__fish_dnsherald_using_subcommand simulate" -l seed -d 'The seed of the random numbers; default: a random one, which is printed' -r
complete -c dnsherald -n "__fish_dnsherald_using_subcommand simulate" -l compare -d 'Play the trace with this configuration, too; show both summaries and where the lines differ' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand simulate" -l svg -d 'Draw a picture of outcomes, states, penalties and announcements to FILE; with --compare of both configurations' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand simulate" -l summary -d 'Print the summary alone; with --json as an object'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand simulate" -l annotate -d 'Print the trace, with the effects of each line below it'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand simulate" -l json -d 'Print every action of the engine as a line of JSON'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand simulate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and not __fish_seen_subcommand_from status check reload restart hooks stopping started help" -s h -l help -d 'Print help'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and not __fish_seen_subcommand_from status check reload restart hooks stopping started help" -f -a "status" -d 'Show the server\'s process, version, listeners, counters, the `zones` of its services, and the permissions that this user lacks'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and not __fish_seen_subcommand_from status check reload restart hooks stopping started help" -f -a "check" -d 'Check the server\'s configuration on disk, without touching the server'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and not __fish_seen_subcommand_from status check reload restart hooks stopping started help" -f -a "reload" -d 'Check the server\'s configuration, and if it is valid make the server read it again'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and not __fish_seen_subcommand_from status check reload restart hooks stopping started help" -f -a "restart" -d 'Restart the server without losing a query: check, drain, restart, verify, return'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and not __fish_seen_subcommand_from status check reload restart hooks stopping started help" -f -a "hooks" -d 'Print the systemd drop-in that drains before a unit stops'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and not __fish_seen_subcommand_from status check reload restart hooks stopping started help" -f -a "stopping" -d 'Drain and wait before the server stops; the drop-in runs this, and it always succeeds'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and not __fish_seen_subcommand_from status check reload restart hooks stopping started help" -f -a "started" -d 'Let the services return when their checks pass; the drop-in runs this once the server is up'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and not __fish_seen_subcommand_from status check reload restart hooks stopping started help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from status" -s c -l config -d 'The configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from status" -l control -d 'The directory of the helper\'s sockets; default: find the helper of the configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from status" -l json -d 'Print JSON'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from check" -s c -l config -d 'The configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from check" -l control -d 'The directory of the helper\'s sockets; default: find the helper of the configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from reload" -s c -l config -d 'The configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from reload" -l control -d 'The directory of the helper\'s sockets; default: find the helper of the configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from reload" -l removed -d 'A zone that no service names and that is not compared with before, since it was removed, or is older on purpose; may be repeated' -r
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from reload" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from restart" -s c -l config -d 'The configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from restart" -l control -d 'The directory of the helper\'s sockets; default: find the helper of the configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from restart" -l command -d 'Run this shell command while drained, such as an upgrade, instead of restarting' -r
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from restart" -l limit -d 'End the command after this time, such as 30m: TERM to its process group, and KILL 10 seconds later' -r
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from restart" -l removed -d 'A zone that no service names and that is not compared with before, since it was removed, or is older on purpose; may be repeated' -r
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from restart" -l reason -d 'The reason, shown by `status`' -r
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from restart" -l reload -d 'Make the server read its configuration again, drained and verified as for a restart; `backend reload` does it without a drain'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from restart" -l rollback -d 'If the restart, the reload or the command fails, or the server does not recover, restore the configuration of the last good restart and restart the server once; neither --command nor --reload is repeated'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from restart" -l unattended -d 'No operator reads the result, as when the helper heals: a service may return as degraded, and a drain that a failure leaves ends once no check takes the service down'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from restart" -l json -d 'Print the result as JSON'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from restart" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from hooks" -s c -l config -d 'The configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from hooks" -l control -d 'The directory of the helper\'s sockets; default: find the helper of the configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from hooks" -l install -d 'Write the drop-in to /etc/systemd/system/UNIT.d/dnsherald.conf, and make systemd read it'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from hooks" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from stopping" -s c -l config -d 'The configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from stopping" -l control -d 'The directory of the helper\'s sockets; default: find the helper of the configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from stopping" -s h -l help -d 'Print help'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from started" -s c -l config -d 'The configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from started" -l control -d 'The directory of the helper\'s sockets; default: find the helper of the configuration file' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from started" -s h -l help -d 'Print help'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from help" -f -a "status" -d 'Show the server\'s process, version, listeners, counters, the `zones` of its services, and the permissions that this user lacks'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from help" -f -a "check" -d 'Check the server\'s configuration on disk, without touching the server'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from help" -f -a "reload" -d 'Check the server\'s configuration, and if it is valid make the server read it again'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from help" -f -a "restart" -d 'Restart the server without losing a query: check, drain, restart, verify, return'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from help" -f -a "hooks" -d 'Print the systemd drop-in that drains before a unit stops'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from help" -f -a "stopping" -d 'Drain and wait before the server stops; the drop-in runs this, and it always succeeds'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from help" -f -a "started" -d 'Let the services return when their checks pass; the drop-in runs this once the server is up'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand demo" -l svg -d 'Draw a picture of outcomes, states, penalties and announcements to FILE' -r -F
complete -c dnsherald -n "__fish_dnsherald_using_subcommand demo" -s h -l help -d 'Print help'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand help; and not __fish_seen_subcommand_from run check check-config config-schema status explain history metrics drain undrain hold unhold undampen reload identify doctor simulate healthcheck backend completions demo help" -f -a "run" -d 'Probe, decide, and tell ExaBGP to announce or withdraw; ExaBGP starts this as a process'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand help; and not __fish_seen_subcommand_from run check check-config config-schema status explain history metrics drain undrain hold unhold undampen reload identify doctor simulate healthcheck backend completions demo help" -f -a "check" -d 'Probe once and show the result'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand help; and not __fish_seen_subcommand_from run check check-config config-schema status explain history metrics drain undrain hold unhold undampen reload identify doctor simulate healthcheck backend completions demo help" -f -a "check-config" -d 'Show the errors of a configuration, or what it means'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand help; and not __fish_seen_subcommand_from run check check-config config-schema status explain history metrics drain undrain hold unhold undampen reload identify doctor simulate healthcheck backend completions demo help" -f -a "config-schema" -d 'Print every key of the configuration as JSON Schema, for editors'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand help; and not __fish_seen_subcommand_from run check check-config config-schema status explain history metrics drain undrain hold unhold undampen reload identify doctor simulate healthcheck backend completions demo help" -f -a "status" -d 'Show the state of the running helper: services, prefixes, checks, drains, ExaBGP'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand help; and not __fish_seen_subcommand_from run check check-config config-schema status explain history metrics drain undrain hold unhold undampen reload identify doctor simulate healthcheck backend completions demo help" -f -a "explain" -d 'Show why a service is announced or withdrawn: the chain from its probes to its routes'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand help; and not __fish_seen_subcommand_from run check check-config config-schema status explain history metrics drain undrain hold unhold undampen reload identify doctor simulate healthcheck backend completions demo help" -f -a "history" -d 'Show what happened: transitions, drains, holds, reloads, starts, BGP session changes, with their times'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand help; and not __fish_seen_subcommand_from run check check-config config-schema status explain history metrics drain undrain hold unhold undampen reload identify doctor simulate healthcheck backend completions demo help" -f -a "metrics" -d 'Print the metrics of the running helper in the text format of Prometheus'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand help; and not __fish_seen_subcommand_from run check check-config config-schema status explain history metrics drain undrain hold unhold undampen reload identify doctor simulate healthcheck backend completions demo help" -f -a "drain" -d 'Withdraw a service, or all, for maintenance'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand help; and not __fish_seen_subcommand_from run check check-config config-schema status explain history metrics drain undrain hold unhold undampen reload identify doctor simulate healthcheck backend completions demo help" -f -a "undrain" -d 'End drains'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand help; and not __fish_seen_subcommand_from run check check-config config-schema status explain history metrics drain undrain hold unhold undampen reload identify doctor simulate healthcheck backend completions demo help" -f -a "hold" -d 'Keep a service announced against its checks, for the operator who knows that a check is wrong'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand help; and not __fish_seen_subcommand_from run check check-config config-schema status explain history metrics drain undrain hold unhold undampen reload identify doctor simulate healthcheck backend completions demo help" -f -a "unhold" -d 'End holds, so that the checks decide again'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand help; and not __fish_seen_subcommand_from run check check-config config-schema status explain history metrics drain undrain hold unhold undampen reload identify doctor simulate healthcheck backend completions demo help" -f -a "undampen" -d 'Clear the effects of repeated falls on a service, or on all: penalty, suppression, longer time to return'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand help; and not __fish_seen_subcommand_from run check check-config config-schema status explain history metrics drain undrain hold unhold undampen reload identify doctor simulate healthcheck backend completions demo help" -f -a "reload" -d 'Make the running helper read its configuration again'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand help; and not __fish_seen_subcommand_from run check check-config config-schema status explain history metrics drain undrain hold unhold undampen reload identify doctor simulate healthcheck backend completions demo help" -f -a "identify" -d 'Show which node answers at an address, and how flows split over nodes'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand help; and not __fish_seen_subcommand_from run check check-config config-schema status explain history metrics drain undrain hold unhold undampen reload identify doctor simulate healthcheck backend completions demo help" -f -a "doctor" -d 'Find what is wrong on this host, each finding with its remedy'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand help; and not __fish_seen_subcommand_from run check check-config config-schema status explain history metrics drain undrain hold unhold undampen reload identify doctor simulate healthcheck backend completions demo help" -f -a "simulate" -d 'Run the engine in virtual time over a written, recorded or generated trace'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand help; and not __fish_seen_subcommand_from run check check-config config-schema status explain history metrics drain undrain hold unhold undampen reload identify doctor simulate healthcheck backend completions demo help" -f -a "healthcheck" -d 'Replace `exabgp healthcheck`, with all its options'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand help; and not __fish_seen_subcommand_from run check check-config config-schema status explain history metrics drain undrain hold unhold undampen reload identify doctor simulate healthcheck backend completions demo help" -f -a "backend" -d 'Manage the stock DNS server of this host: state, configuration check, reload, restart'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand help; and not __fish_seen_subcommand_from run check check-config config-schema status explain history metrics drain undrain hold unhold undampen reload identify doctor simulate healthcheck backend completions demo help" -f -a "completions" -d 'Print the completions of commands and options for a shell'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand help; and not __fish_seen_subcommand_from run check check-config config-schema status explain history metrics drain undrain hold unhold undampen reload identify doctor simulate healthcheck backend completions demo help" -f -a "demo" -d 'Show failover in twenty seconds: an embedded DNS server with scripted faults, real probes, real decisions'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand help; and not __fish_seen_subcommand_from run check check-config config-schema status explain history metrics drain undrain hold unhold undampen reload identify doctor simulate healthcheck backend completions demo help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand help; and __fish_seen_subcommand_from backend" -f -a "status" -d 'Show the server\'s process, version, listeners, counters, the `zones` of its services, and the permissions that this user lacks'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand help; and __fish_seen_subcommand_from backend" -f -a "check" -d 'Check the server\'s configuration on disk, without touching the server'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand help; and __fish_seen_subcommand_from backend" -f -a "reload" -d 'Check the server\'s configuration, and if it is valid make the server read it again'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand help; and __fish_seen_subcommand_from backend" -f -a "restart" -d 'Restart the server without losing a query: check, drain, restart, verify, return'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand help; and __fish_seen_subcommand_from backend" -f -a "hooks" -d 'Print the systemd drop-in that drains before a unit stops'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand help; and __fish_seen_subcommand_from backend" -f -a "stopping" -d 'Drain and wait before the server stops; the drop-in runs this, and it always succeeds'
complete -c dnsherald -n "__fish_dnsherald_using_subcommand help; and __fish_seen_subcommand_from backend" -f -a "started" -d 'Let the services return when their checks pass; the drop-in runs this once the server is up'
# Names, from the running helper.
complete -c dnsherald -n "__fish_dnsherald_using_subcommand drain" -f -a "(dnsherald complete-names services 2>/dev/null)"
complete -c dnsherald -n "__fish_dnsherald_using_subcommand undrain" -f -a "(dnsherald complete-names services 2>/dev/null)"
complete -c dnsherald -n "__fish_dnsherald_using_subcommand hold" -f -a "(dnsherald complete-names services 2>/dev/null)"
complete -c dnsherald -n "__fish_dnsherald_using_subcommand unhold" -f -a "(dnsherald complete-names services 2>/dev/null)"
complete -c dnsherald -n "__fish_dnsherald_using_subcommand undampen" -f -a "(dnsherald complete-names services 2>/dev/null)"
complete -c dnsherald -n "__fish_dnsherald_using_subcommand explain" -f -a "(dnsherald complete-names services 2>/dev/null)"
complete -c dnsherald -n "__fish_dnsherald_using_subcommand history" -f -a "(dnsherald complete-names services 2>/dev/null)"
complete -c dnsherald -n "__fish_dnsherald_using_subcommand drain" -l as -x -a "(dnsherald complete-names holders 2>/dev/null)"
complete -c dnsherald -n "__fish_dnsherald_using_subcommand undrain" -l as -x -a "(dnsherald complete-names holders 2>/dev/null)"
complete -c dnsherald -n "__fish_dnsherald_using_subcommand hold" -l as -x -a "(dnsherald complete-names holders 2>/dev/null)"
complete -c dnsherald -n "__fish_dnsherald_using_subcommand unhold" -l as -x -a "(dnsherald complete-names holders 2>/dev/null)"
complete -c dnsherald -n "__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from status check reload restart" -f -a "(dnsherald complete-names backends 2>/dev/null)"
