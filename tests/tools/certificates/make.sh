#!/bin/sh
# Makes the certificates of this folder, each file with its key, whole again: keys for tests on loopback and for nothing else.
# Dates are far apart so that no test ends with a year: valid 2020-2120, expired 2020-2021, future 2100-2120.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
# name issuer notBefore notAfter extension; an issuer called self signs itself
certificate() {
  openssl ecparam -name prime256v1 -genkey -noout -out "$work/$1.key"
  openssl req -new -key "$work/$1.key" -subj "/O=Shop/CN=$1.example" -out "$work/$1.csr"
  mkdir "$work/$1"
  : > "$work/$1/index.txt"
  echo 01 > "$work/$1/serial"
  cat > "$work/$1.cnf" <<CONFIG
[ca]
default_ca = d
[d]
dir = $work/$1
database = \$dir/index.txt
new_certs_dir = \$dir
serial = \$dir/serial
default_md = sha256
policy = p
x509_extensions = e
[p]
organizationName = optional
commonName = supplied
[e]
$5
CONFIG
  signer="-cert $work/$2.crt -keyfile $work/$2.key"
  [ "$2" = self ] && signer="-selfsign -keyfile $work/$1.key"
  openssl ca -batch -notext -config "$work/$1.cnf" $signer -startdate "$3" -enddate "$4" -in "$work/$1.csr" -out "$work/$1.crt" 2> "$work/said" || cat "$work/said"
  cat "$work/$1.crt" "$work/$1.key" > "$1.pem"
}
here=subjectAltName=DNS:localhost,DNS:shop.example,IP:127.0.0.1
certificate authority self 20200101000000Z 21200101000000Z basicConstraints=critical,CA:TRUE
certificate stranger self 20200101000000Z 21200101000000Z basicConstraints=critical,CA:TRUE
certificate valid authority 20200101000000Z 21200101000000Z "$here"
certificate expired authority 20200101000000Z 20210101000000Z "$here"
certificate future authority 21000101000000Z 21200101000000Z "$here"
certificate other_name authority 20200101000000Z 21200101000000Z subjectAltName=DNS:elsewhere.example
certificate untrusted stranger 20200101000000Z 21200101000000Z "$here"
certificate self_signed self 20200101000000Z 21200101000000Z "$here"
certificate self_signed_expired self 20200101000000Z 20210101000000Z "$here"
mv "$work/authority.crt" authority.pem
rm stranger.pem
rm -r "$work"
