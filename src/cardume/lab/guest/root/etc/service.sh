# Sourced by the services: waiting without starting a program, which costs ten times more under emulation.

mkfifo "/run/never.$$" && exec 9<>"/run/never.$$" && rm "/run/never.$$"

# wait_s SECONDS: nobody ever writes into the pipe, so the read ends by its own timeout.
wait_s() {
    read -r -t "$1" nothing <&9
}

# uptime_cs: hundredths of a second since boot, in $uptime_cs.
read_uptime() {
    read -r uptime_s rest </proc/uptime
    uptime_cs=${uptime_s%.*}${uptime_s#*.}
}

# publish FILE TEXT: readers see the old text or the new one, never a half.
publish() {
    echo "$2" >"/run/$1.new" && mv "/run/$1.new" "/run/$1"
}
