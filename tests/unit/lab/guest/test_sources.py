"""The machine's apt settings, as the build of the guest uses them."""

from cardume.lab.guest.sources import Source, apt_options, parse_sources, sources_for

DEB822 = """\
# the distribution
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: trixie trixie-updates trixie-backports
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: trixie-security
Components: main

Types: deb
URIs: http://off.example/debian
Suites: trixie
Components: main
Enabled: no
"""
ONE_LINE = """\
# deb http://old.example/debian bookworm main
deb [arch=amd64 signed-by=/etc/apt/keyrings/d.gpg] http://mirror.example/debian bookworm main non-free # ours
deb-src http://mirror.example/debian bookworm main
deb http://vendor.example/apt stable main
"""


def test_the_distributions_suites_are_turned_to_the_guests_release_and_the_rest_left_out() -> None:
    assert sources_for("bookworm", "trixie", [DEB822]) == (
        Source(
            uris="http://mirror.example/debian",
            suites=("bookworm", "bookworm-updates"),
            components="main",
            signed_by="/usr/share/keyrings/debian-archive-keyring.gpg",
        ),
        Source(uris="http://mirror.example/debian-security", suites=("bookworm-security",), components="main"),
    )


def test_the_old_format_gives_the_same_kind_of_source() -> None:
    assert sources_for("bookworm", "bookworm", [ONE_LINE]) == (
        Source(
            uris="http://mirror.example/debian",
            suites=("bookworm",),
            components="main",
            signed_by="/etc/apt/keyrings/d.gpg",
        ),
    )


def test_a_key_written_into_the_source_survives() -> None:
    text = "Types: deb\nURIs: http://m.example\nSuites: bookworm\nComponents: main\nSigned-By:\n -----BEGIN\n .\n abc\n"
    (source,) = parse_sources(text)
    assert source.stanza() == (
        "Types: deb\nURIs: http://m.example\nSuites: bookworm\nComponents: main\nSigned-By: \n -----BEGIN\n .\n abc\n"
    )


def test_a_machine_of_another_distribution_has_none() -> None:
    assert sources_for("bookworm", "noble", [DEB822, ONE_LINE]) == ()


def test_proxies_and_certificates_are_passed_on_and_nothing_else() -> None:
    dump = """\
Acquire "";
Acquire::http "";
Acquire::http::Proxy "http://proxy.example:3128";
Acquire::https::CaInfo "/etc/ssl/ours.pem";
Acquire::Check-Valid-Until "false";
Acquire::cdrom::mount "/media/cdrom/";
DPkg::Post-Invoke:: "rm -f /x";
"""
    assert apt_options(dump) == (
        'Acquire::http::Proxy "http://proxy.example:3128"',
        'Acquire::https::CaInfo "/etc/ssl/ours.pem"',
        'Acquire::Check-Valid-Until "false"',
    )
