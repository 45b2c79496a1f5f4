#!/usr/bin/env bash
# A second fence around the server, in the kernel: connections that its user begins to private, local and special
# addresses are refused, whatever the server itself decides. The ranges are those of the server's address policy.
#
#   egress-backstop.sh up    --user sendbox [--allow 10.0.0.53 --allow 10.1.0.0/16 …]
#   egress-backstop.sh check --user sendbox
#   egress-backstop.sh down
#   egress-backstop.sh print --user sendbox [--allow …]
#
# up replaces what is there, in one step. --allow names what must stay within reach: DNS servers, proxies, and what
# stands in [egress] allow_addresses. Needs root, nftables and, for check, util-linux.
set -euo pipefail

table=sendbox_backstop
forbidden4='0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 168.63.129.16, 169.254.0.0/16, 172.16.0.0/12,
            192.0.0.0/24, 192.0.2.0/24, 192.88.99.0/24, 192.168.0.0/16, 198.18.0.0/15, 198.51.100.0/24,
            203.0.113.0/24, 224.0.0.0/3'
forbidden6='::/3, 2001::/23, 2001:db8::/32, 2002::/16, 3fff::/20, 4000::/2, 8000::/1'
samples='127.0.0.1 10.0.0.1 100.64.0.1 169.254.169.254 172.16.0.1 192.168.0.1 ::1 fd00:ec2::254'

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

usage() {
    sed -n '2,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

# The elements of a set; an empty list would be a syntax error.
elements() {
    [ -z "$1" ] || printf 'elements = { %s };' "$1"
}

rules() {
    cat <<RULES
table inet $table {
    counter refused { }
    set forbidden4 { type ipv4_addr; flags interval; $(elements "$forbidden4") }
    set forbidden6 { type ipv6_addr; flags interval; $(elements "$forbidden6") }
    set allowed4 { type ipv4_addr; flags interval; auto-merge; $(elements "$allowed4") }
    set allowed6 { type ipv6_addr; flags interval; auto-merge; $(elements "$allowed6") }
    chain output {
        type filter hook output priority filter; policy accept;
        meta skuid != $uid accept
        ct state established,related accept comment "answers to callers"
        ip daddr @allowed4 accept
        ip6 daddr @allowed6 accept
        ip daddr @forbidden4 counter name refused reject with icmpx admin-prohibited
        ip6 daddr @forbidden6 counter name refused reject with icmpx admin-prohibited
    }
}
RULES
}

# Made first, so that the deletion of what may not be there never fails.
up() {
    { printf 'table inet %s { }\ndelete table inet %s\n' "$table" "$table"; rules; } | nft -f -
}

down() {
    printf 'table inet %s { }\ndelete table inet %s\n' "$table" "$table" | nft -f -
}

refused() {
    nft list counter inet "$table" refused | sed -n 's/.*packets \([0-9]*\).*/\1/p'
}

# Calls some forbidden addresses as the server's user. No packet leaves the machine.
check() {
    local address before chain stopped=0
    chain=$(nft -n list chain inet "$table" output 2>/dev/null) || fail "the backstop is not up"
    grep -q "skuid != $uid accept" <<<"$chain" || fail "the backstop is not for this user"
    for address in $samples; do
        before=$(refused)
        if timeout 5 setpriv --reuid "$uid" --regid 65534 --clear-groups \
            bash -c "exec 3<>/dev/tcp/$address/9" 2>/dev/null; then
            fail "$address was reached"
        elif [ "$(refused)" -gt "$before" ]; then
            stopped=$((stopped + 1))
            printf 'refused: %s\n' "$address"
        else
            printf 'no route, or allowed: %s\n' "$address"
        fi
    done
    [ "$stopped" -gt 0 ] || fail "nothing was refused"
}

[ $# -gt 0 ] || usage
command=$1 uid='' allowed4='' allowed6=''
shift
while [ $# -gt 1 ]; do
    case $1 in
        --user) uid=$(id -u -- "$2") || fail "there is no user $2" ;;
        --allow)
            [[ $2 =~ ^[0-9a-fA-F.:/]+$ ]] || fail "$2 is no address"
            case $2 in
                *:*) allowed6+="${allowed6:+, }$2" ;;
                *) allowed4+="${allowed4:+, }$2" ;;
            esac
            ;;
        *) usage ;;
    esac
    shift 2
done
[ $# -eq 0 ] || usage
case $command in
    down) down ;;
    up | check | print)
        [ -n "$uid" ] || fail "--user is missing"
        case $command in
            print) rules ;;
            *) "$command" ;;
        esac
        ;;
    *) usage ;;
esac
