/** Rewriting a host's apt sources for another release, and reading what apt-cache prints. */
import assert from "node:assert/strict";
import test from "node:test";
import { rewriteSources } from "../../src/guests/apt/sources.js";
import { parseDependencies, parseStanzas } from "../../src/guests/apt/stanzas.js";

test("apt sources: a one-line source keeps its mirror, key and components; release and architecture are replaced", () => {
  const text = [
    "# deb http://commented.example/debian trixie main",
    "deb [arch=amd64 signed-by=/usr/share/keyrings/debian.gpg] http://mirror.example/debian trixie main contrib # why",
    "deb http://mirror.example/debian-security stable-security main",
    "deb http://mirror.example/debian-security buster/updates main",
    "deb-src http://mirror.example/debian trixie main",
    "deb [arch=amd64] http://other.example/node nodistro main",
  ].join("\n");
  const { text: rewritten, debian } = rewriteSources(text, "list", "bookworm", true);
  assert.equal(debian, true);
  assert.deepEqual(rewritten.trimEnd().split("\n"), [
    "deb [signed-by=/usr/share/keyrings/debian.gpg] http://mirror.example/debian bookworm main contrib",
    "deb http://mirror.example/debian-security bookworm-security main",
    "deb http://mirror.example/debian-security bookworm-security main",
  ]);
});

test("apt sources: deb822 stanzas likewise, folded keys kept, disabled and source-only ones dropped", () => {
  const text = `Types: deb deb-src
# a note
URIs: http://deb.example/debian
Suites: trixie trixie-updates
Components: main
Architectures: amd64
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEY

Types: deb-src
URIs: http://deb.example/debian
Suites: trixie

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: trixie
`;
  const { text: rewritten } = rewriteSources(text, "sources", "bookworm", true);
  assert.equal(
    rewritten,
    `Types: deb
Suites: bookworm bookworm-updates
URIs: http://deb.example/debian
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEY
`,
  );
});

test("apt sources: a host without any Debian source says so and keeps what it has", () => {
  const { text, debian } = rewriteSources(
    "deb http://archive.example/ubuntu noble main\n",
    "list",
    "bookworm",
    false,
  );
  assert.equal(debian, false);
  assert.equal(text, "deb http://archive.example/ubuntu noble main\n");
});

test("apt-cache: stanzas and folded fields", () => {
  const stanzas = parseStanzas(
    "Package: a\nVersion: 1:2-3\nDescription: short\n long\n .\n more\n\nPackage: b\n\n",
  );
  assert.equal(stanzas.length, 2);
  assert.equal(stanzas[0].get("version"), "1:2-3");
  assert.equal(stanzas[0].get("description"), "short\n long\n .\n more");
  assert.equal(stanzas[1].get("package"), "b");
});

test("apt-cache: a dependency field names packages, exact versions and alternatives", () => {
  assert.deepEqual(
    parseDependencies("linux-image-6.1.0-56-amd64 (= 6.1.192-2), kmod | busybox:any (>= 1.2), libc6"),
    [
      { name: "linux-image-6.1.0-56-amd64", exactVersion: "6.1.192-2" },
      { name: "kmod" },
      { name: "busybox" },
      { name: "libc6" },
    ],
  );
});

test("apt sources: unstable has no updates and no security suite, so those are left out", () => {
  const lines =
    "deb http://m.example/debian bookworm main\ndeb http://m.example/debian-security bookworm-security main\n";
  assert.equal(rewriteSources(lines, "list", "sid", true).text, "deb http://m.example/debian sid main\n");
  const stanzas =
    "Types: deb\nURIs: http://m.example/debian\nSuites: bookworm bookworm-updates\n\n" +
    "Types: deb\nURIs: http://m.example/debian-security\nSuites: bookworm-security\n";
  assert.equal(
    rewriteSources(stanzas, "sources", "sid", true).text,
    "Types: deb\nSuites: sid\nURIs: http://m.example/debian\n",
  );
});
