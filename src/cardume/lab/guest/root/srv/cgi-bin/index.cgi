#!/bin/sh
# The guest's state as JSON. Reads memory only: it answers while the disk hangs.

read -r boot_id </proc/sys/kernel/random/boot_id
read -r uptime_s rest </proc/uptime
read -r ticks </run/ticks
read -r disk_ticks </run/disk_ticks
read -r errors </run/errors
printf 'Content-Type: application/json\r\n\r\n'
printf '{"boot_id": "%s", "uptime_s": %s, "ticks": %s, "disk_ticks": %s, "errors": %s}\n' \
    "$boot_id" "$uptime_s" "$ticks" "$disk_ticks" "$errors"
