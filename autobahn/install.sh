#!/usr/bin/env bash
# Builds an isolated Python 2.7 environment with the real Autobahn suite and prints the path of its wstest
# as the last line of stdout. Everything else goes to stderr. Nothing outside DIR is changed.
#
#   autobahn/install.sh [DIR]      # default: ${XDG_CACHE_HOME:-$HOME/.cache}/wirebeat/autobahn
#
# WIREBEAT_PYTHON27 names the Python 2.7 to use; without it `python2.7` on PATH and then pyenv are asked.
set -eu

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
pins=$here/requirements-py27.txt
dir=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/wirebeat/autobahn}
stamp_name=wirebeat-autobahn-pins.txt

say() { printf 'autobahn/install.sh: %s\n' "$*" >&2; }
die() { say "$@"; exit 1; }

pin() { sed -n "s/^$1==\([^ ]*\).*/\1/p" "$pins"; }
suite_version=$(pin autobahntestsuite)
autobahn_version=$(pin autobahn)

# A caller's own Python settings would leak packages into the environment or out of it.
unset PYTHONPATH PYTHONHOME PIP_TARGET PIP_PREFIX PIP_REQUIRE_VIRTUALENV
export PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONWARNINGS=ignore

works() {
	[ -x "$dir/bin/wstest" ] || return 1
	local versions
	versions=$("$dir/bin/wstest" -a 2>/dev/null) || return 1
	[ "$versions" = "Autobahn $autobahn_version
AutobahnTestSuite $suite_version" ] || return 1
	# Without wsaccel the suite runs all the same, but section 9 is many times slower.
	"$dir/bin/python" -c 'import wsaccel.utf8validator, wsaccel.xormask' 2>/dev/null
}

up_to_date() { cmp -s "$pins" "$dir/$stamp_name" && works; }

finish() { printf '%s\n' "$dir/bin/wstest"; exit 0; }

# Prints the real path of a Python 2.7, given a command; fails when it is none. The question is put to the
# interpreter, because a pyenv shim is on PATH even while no 2.7 is selected.
real_python27() {
	"$1" -c 'import sys
if sys.version_info[:2] != (2, 7): sys.exit(1)
print(sys.executable)' 2>/dev/null
}

find_python27() {
	if [ -n "${WIREBEAT_PYTHON27:-}" ]; then
		real_python27 "$WIREBEAT_PYTHON27" || die "WIREBEAT_PYTHON27=$WIREBEAT_PYTHON27 is not a Python 2.7"
		return
	fi
	real_python27 python2.7 && return
	local candidate
	for candidate in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/2.7*/bin/python2.7; do
		real_python27 "$candidate" && return
	done
	if command -v pyenv >/dev/null 2>&1; then
		for candidate in $(pyenv versions --bare 2>/dev/null | grep '^2\.7'); do
			real_python27 "$(pyenv prefix "$candidate")/bin/python2.7" && return
		done
	fi
	die 'no Python 2.7 found: the suite runs on nothing newer. Install one (for example: pyenv install 2.7.18)' \
		'or set WIREBEAT_PYTHON27, or run the gate with --suite docker'
}

need_compiler() {
	command -v cc >/dev/null 2>&1 && return
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
		say 'no C compiler: apt-get install gcc libc6-dev libffi-dev libssl-dev'
		{ apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev libffi-dev libssl-dev; } >&2 && return
	fi
	die 'a C compiler is needed for wsaccel (and, where pip finds no binary packages of cffi and cryptography,' \
		'the headers of libffi and OpenSSL). On Debian: apt-get install gcc libc6-dev libffi-dev libssl-dev'
}

log=
logged() {
	printf '+ %s\n' "$*" >>"$log"
	"$@" >>"$log" 2>&1 && return
	tail -n 25 "$log" >&2
	die "failed: $* (whole log: $log)"
}

mkdir -p "$(dirname "$dir")"
dir=$(cd "$(dirname "$dir")" && pwd)/$(basename "$dir")

# Two runs at once would build into the same place.
if command -v flock >/dev/null 2>&1; then
	exec 9>"$dir.lock"
	flock 9
fi

if up_to_date; then
	say "already there: $dir"
	finish
fi

if [ -e "$dir" ]; then
	# Only what this script made is thrown away.
	[ -e "$dir/$stamp_name" ] || [ -e "$dir/.wirebeat-autobahn" ] || [ -z "$(ls -A "$dir")" ] ||
		die "$dir exists and was not made by this script: remove it or name another directory"
	rm -rf "$dir"
fi

python=$(find_python27)
"$python" -m pip --version >/dev/null 2>&1 ||
	die "$python has no pip: run '$python -m ensurepip' once, or set WIREBEAT_PYTHON27 to one that has it"
need_compiler

mkdir -p "$dir"
: >"$dir/.wirebeat-autobahn"
log=$dir/install.log
: >"$log"
boot=$(mktemp -d)
trap 'rm -rf "$boot"' EXIT

say "building $dir with $python"
# 16.7.12 is the last virtualenv that is one package without dependencies; it goes to a directory that is
# removed at the end, so the Python it was installed with stays as it was.
logged "$python" -m pip install --target "$boot" 'virtualenv==16.7.12'
logged env "PYTHONPATH=$boot" "$python" -m virtualenv --no-download "$dir"
logged "$dir/bin/python" -m pip install 'pip==20.3.4' 'setuptools==44.0.0' 'wheel==0.36.2'
# Twisted's setup asks for incremental before pip would have installed it.
logged "$dir/bin/python" -m pip install "incremental==$(pin incremental)"
logged "$dir/bin/python" -m pip install --no-build-isolation -r "$pins"
logged "$dir/bin/python" -m pip check
works || die "installed, but $dir/bin/wstest does not answer as AutobahnTestSuite $suite_version with wsaccel (log: $log)"
# Written last: an environment without the stamp is an unfinished one.
cp "$pins" "$dir/$stamp_name"
finish
