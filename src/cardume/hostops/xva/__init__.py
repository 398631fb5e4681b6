"""XVA archives: tar, chunks of disks with their checksums, compression; streams in and out, in bounded memory."""
