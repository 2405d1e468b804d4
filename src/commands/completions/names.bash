
# Names, from the running helper, before what the function above offers.
_dnsherald_names() {
    local name cur="${COMP_WORDS[COMP_CWORD]}"
    local names=()
    while IFS= read -r name; do
        [[ "${name}" == "${cur}"* ]] && names+=("$(printf '%q' "${name}")")
    done < <(dnsherald complete-names "$1" 2>/dev/null)
    COMPREPLY=("${names[@]}" "${COMPREPLY[@]}")
}

_dnsherald_with_names() {
    _dnsherald "$@"
    [[ "${COMP_WORDS[COMP_CWORD]}" == -* ]] && return 0
    case "${COMP_WORDS[COMP_CWORD-1]}" in
        --as)
            COMPREPLY=()
            _dnsherald_names holders
            return 0
            ;;
        -c|--config|--control|--for|--reason|--since|--dump)
            return 0
            ;;
    esac
    case "${COMP_WORDS[1]}" in
        drain|undrain|hold|unhold|undampen|explain|history)
            (( COMP_CWORD >= 2 )) && _dnsherald_names services
            ;;
        backend)
            case "${COMP_WORDS[2]}" in
                status|check|reload|restart)
                    (( COMP_CWORD >= 3 )) && _dnsherald_names backends
                    ;;
            esac
            ;;
    esac
    return 0
}

if [[ "${BASH_VERSINFO[0]}" -eq 4 && "${BASH_VERSINFO[1]}" -ge 4 || "${BASH_VERSINFO[0]}" -gt 4 ]]; then
    complete -F _dnsherald_with_names -o nosort -o bashdefault -o default dnsherald
else
    complete -F _dnsherald_with_names -o bashdefault -o default dnsherald
fi
