/** `verify.sh` of an export: short, so that a person reads it before running it. */
export const EXPORT_SCRIPT = `#!/bin/sh
# Checks this copy of the event log. Needs sh, sha256sum and jq. Prints "intact" and exits 0, or names the first bad line.
set -eu
cd "$(dirname "$0")"

sha256sum --check --quiet SHA256SUMS

genesis=0000000000000000000000000000000000000000000000000000000000000000
known=$(jq -r '.known_head.seq // ""' manifest.json)
expected=$genesis
number=0
while IFS= read -r line; do
  number=$((number + 1))
  prev=$(printf '%s' "$line" | jq -r .prev) || {
    echo "line $number: not an entry" >&2
    exit 1
  }
  if [ "$prev" != "$expected" ]; then
    echo "line $number: prev is $prev, but the line before has the SHA-256 $expected" >&2
    exit 1
  fi
  sum=$(printf '%s' "$line" | sha256sum)
  expected=\${sum%% *}
  if [ "$number" = "$known" ] && [ "$expected" != "$(jq -r .known_head.hash manifest.json)" ]; then
    echo "line $number: not the line that the daemon had written" >&2
    exit 1
  fi
done <events.jsonl

if [ "$expected" != "$(jq -r --arg none "$genesis" '.last.sha256 // $none' manifest.json)" ]; then
  echo "line $number: the last line is not the one in manifest.json" >&2
  exit 1
fi
if [ "$number" -lt "\${known:-0}" ]; then
  echo "entries are missing at the end: the daemon had written up to entry $known" >&2
  exit 1
fi
echo "intact: $number lines; the last one has the SHA-256 $expected"
if [ -z "$known" ]; then
  echo "events.head was missing: nobody can tell whether entries are missing at the end" >&2
fi
`;

/** `README.md` of an export. */
export const EXPORT_README = `# Evidence of a fleet-mesh node

| file | content |
| --- | --- |
| \`events.jsonl\` | all lines of the event log, oldest first |
| \`events.head\` | the last entry that the daemon knew to be on the disk |
| \`manifest.json\` | node, number of entries, first and last line, problems found at the export |
| \`verify.sh\` | checks all of this |
| \`SHA256SUMS\` | hashes of the files, for \`sha256sum --check\` |

## How to check

\`\`\`sh
sh verify.sh
\`\`\`

The script needs \`sha256sum\` and \`jq\`. Read the script first: it is short. It checks three things:

1. The files are as they were exported: \`sha256sum --check SHA256SUMS\`.
2. Each line carries the SHA-256 of the line before, without its newline, in \`prev\`. The first line carries zeros.
3. The last line is the one in \`manifest.json\`, and no entry is missing at the end.

One line by hand, here the line before line 7:

\`\`\`sh
head -n 6 events.jsonl | tail -n 1 | tr -d '\\n' | sha256sum
head -n 7 events.jsonl | tail -n 1 | jq -r .prev
\`\`\`

## What this proves

No line was changed, removed or inserted after the line whose SHA-256 you trust was written. Nobody can prove more from
these files alone: who can rewrite all of them can forge all of them. So compare the SHA-256 of the last line, or of an
earlier line, with a copy that was kept elsewhere: a report of \`fleet-mesh acceptance\`, a mail, or a ticket.

\`\`\`sh
jq -r .last.sha256 manifest.json
\`\`\`
`;
