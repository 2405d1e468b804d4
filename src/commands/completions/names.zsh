
# Names, from the running helper: services, holders or backends.
_dnsherald_names() {
    local kind=$1
    local -a names
    shift
    names=("${(@f)$(dnsherald complete-names $kind 2>/dev/null)}")
    names=(${names:#})
    (( $#names )) && compadd "$@" -a names
}

