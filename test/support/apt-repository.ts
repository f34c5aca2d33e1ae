/**
 * A Debian archive in a folder, served to the real apt by `file:`, or by a server: for tests of fetching without a network. It is
 * marked as trusted in its sources, since nothing signs it.
 */
import { createHash } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { debOf } from "./archives.js";
import type { TarSource } from "./archives.js";

export interface RepositoryPackage {
  name: string;
  version: string;
  depends?: string;
  provides?: string;
  /** Filler of its stanza, for lists of some size. */
  description?: string;
  files: readonly TarSource[];
  /** Whether its files are stored compressed. */
  squeezed?: boolean;
}

/** The archive's folder and the apt configuration that makes it a host's only source. */
export class AptRepository {
  readonly configuration: string;
  /** The archive itself. */
  readonly pool: string;
  /** Where its sources say that it is; its folder, unless a server is to be asked. */
  uri: string;
  /** More of the host's settings, as apt.conf(5) has them. */
  settings: readonly string[] = ['Acquire::http::Proxy "DIRECT";'];

  constructor(private readonly folder: string) {
    this.configuration = path.join(folder, "apt.conf");
    this.pool = path.join(folder, "pool");
    this.uri = `file:${this.pool}`;
  }

  /** The file of a package. */
  packageFile(name: string, version: string): string {
    return path.join(this.pool, `${name}_${version.replaceAll(":", "%3a")}_amd64.deb`);
  }

  /** Removes the archive, as if its server were gone. */
  async takeDown(): Promise<void> {
    await rm(this.pool, { recursive: true });
  }

  /** Replaces the archive's contents by these packages. */
  async publish(packages: readonly RepositoryPackage[]): Promise<void> {
    await rm(this.pool, { recursive: true, force: true });
    await mkdir(this.pool, { recursive: true });
    const stanzas: string[] = [];
    for (const { name, version, depends, provides, description, files, squeezed } of packages) {
      const bytes = debOf(files, squeezed === undefined ? {} : { squeezed });
      const file = this.packageFile(name, version);
      await writeFile(file, bytes);
      stanzas.push(
        [
          `Package: ${name}`,
          `Version: ${version}`,
          "Architecture: amd64",
          ...(depends === undefined ? [] : [`Depends: ${depends}`]),
          ...(provides === undefined ? [] : [`Provides: ${provides}`]),
          ...(description === undefined ? [] : [`Description: ${description}`]),
          `Filename: ./${path.basename(file)}`,
          `Size: ${bytes.length}`,
          `SHA256: ${createHash("sha256").update(bytes).digest("hex")}`,
          "",
        ].join("\n"),
      );
    }
    await writeFile(path.join(this.pool, "Packages"), stanzas.join("\n"));
    const etc = path.join(this.folder, "etc");
    await mkdir(path.join(etc, "sources.list.d"), { recursive: true });
    await writeFile(path.join(etc, "sources.list"), `deb [trusted=yes] ${this.uri} ./\n`);
    const settings = [`Dir::Etc "${etc}";`, 'Dir::Etc::parts "/dev/null";', 'Dir::Etc::main "/dev/null";'];
    await writeFile(this.configuration, [...settings, ...this.settings].join("\n"));
  }
}
