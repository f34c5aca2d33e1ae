// buildPlan as a whole: options, choice of the loader, plug-ins, purity, hostile input.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  BootError,
  buildPlan,
  LoaderRegistry,
  NoLoaderError,
  OptionError,
  type Loader,
} from "../../src/boot/index.js";
import { EngineUnavailable } from "../../src/host/node/engines.js";
import { makePlan } from "../../src/host/node/make-plan.js";
import { SETUP_FIELDS } from "../../src/spec/linux-boot.js";
import { PT } from "../../src/spec/elf.js";
import { explain } from "../../src/cli/failure.js";
import { EXIT_STATUS } from "../../src/machine/end.js";
import { withFeatures } from "../../src/x86/cpu-features.js";
import { hasFeature } from "../../src/x86/cpuid-table.js";
import type { Plan } from "../../src/boot/plan.js";
import { protectedMode32 } from "../../src/x86/entry-states.js";
import { makeBzImage, makeElf, makeNotes, makePvhNote } from "../support/images.js";
import { memoryAt, planOf, region } from "./plan-text.js";

const elfBoth = makeElf({
  entry: 0x1000000,
  segments: [
    { vaddr: 0x1000000, bytes: new Uint8Array(512).fill(0xf4) },
    { type: PT.NOTE, bytes: makeNotes([makePvhNote(0x1000100)]) },
  ],
});

describe("R1.1 choice of the loader", () => {
  it("R1.1 PVH is preferred to plain ELF, and a name overrides", () => {
    assert.equal(planOf(elfBoth).loader.name, "pvh");
    const byName = planOf(elfBoth, { loader: { name: "elf64" } });
    assert.equal(byName.loader.name, "elf64");
    assert.match(byName.loader.why, /^asked for by name: an ELF file/);
  });

  it("R2.3 when none fits, every loader's reason is given with its offset", () => {
    const image = makeElf({ entry: 0x5000000, segments: [{ vaddr: 0x1000000, bytes: new Uint8Array(16) }] });
    assert.throws(
      () => planOf(image),
      (error) => {
        assert.ok(error instanceof NoLoaderError);
        assert.deepEqual(
          error.refusals.map(({ loader }) => loader),
          ["pvh", "elf64", "elf32", "linux", "multiboot2", "multiboot1", "firmware"],
        );
        assert.match(
          error.message,
          /boot "kernel": no loader takes it\n {2}pvh: .*\n {2}elf64: file offset 0x18: .*\n {2}elf32: .*\n {2}linux: file offset 0x202/,
        );
        return true;
      },
    );
  });

  it("R1.5 an unknown loader is answered with the names there are", () => {
    assert.throws(
      () => planOf(elfBoth, { loader: { name: "grub" } }),
      /option loader.name: found "grub"; expected linux, pvh, multiboot2, multiboot1, elf64, elf32/,
    );
  });

  it("R1.5 an option that the chosen loader does not have is refused, not ignored", () => {
    assert.throws(
      () => planOf(elfBoth, { loader: { entry: "32" } }),
      /option loader.entry: found an option that the pvh loader does not have; expected loader.start_info/,
    );
    assert.throws(
      () => planOf(makeBzImage(), { loader: { entry: "8" } }),
      /found "8"; expected 64 or 32 or 16/,
    );
  });

  it("R1.5 options that are absent count as not given", () => {
    assert.equal(
      planOf(makeBzImage(), { loader: { name: undefined, entry: undefined } }).loader.name,
      "linux",
    );
  });

  it("R1.1 a third-party loader is one object: recognise, lay out memory, describe the boot CPU", () => {
    let gdt = 0;
    const flat: Loader = {
      name: "flat",
      summary: "runs any ELF file's bytes at 2 MiB",
      options: {},
      recognise: (image) => ({
        fits: true,
        why: "it takes anything",
        protocol: {
          entry: "flat",
          layOutMemory({ memory }) {
            memory.claimAt(0x200000, {
              name: "flat",
              owner: "flat",
              size: image.bytes.length,
              bytes: image.bytes,
            });
            gdt = memory.claimBySearch(
              { name: "gdt", owner: "flat", size: 48 },
              { prefer: "lowest", above: 0x1000, below: 0x9000 },
            ).start;
          },
          describeBootCpu: () => protectedMode32({ entry: 0x200000n, gdtBase: gdt, registers: {} }),
        },
      }),
    };
    const registry = new LoaderRegistry([flat]);
    const plan = buildPlan({ kernel: { name: "k", bytes: elfBoth } }, { loaders: registry });
    assert.equal(plan.loader.name, "flat");
    assert.equal(plan.bootCpu.gdtr.base, 0x1000n);
    assert.throws(() => registry.register(flat), RangeError);
  });
});

describe("R1.5 options", () => {
  it("R3.1 defaults: 256 MiB, one CPU, 1 GHz TSC, 100 MHz APIC timer", () => {
    const plan = buildPlan({ kernel: { name: "k", bytes: makeBzImage() } });
    assert.deepEqual(plan.ram, [{ start: 0, size: 256 * 1024 * 1024 }]);
    assert.equal(plan.cpus, 1);
    assert.deepEqual(plan.clock, { tscHz: 1e9, apicHz: 1e8, rtcStart: 1_577_836_800 });
  });

  it("R3.2 the deterministic clock and the RTC come from the options", () => {
    const { clock } = planOf(makeBzImage(), {
      clock: { deterministic: { nsPerInstruction: 10 }, rtcStart: 5 },
    });
    assert.deepEqual(clock.deterministic, { nsPerInstruction: 10 });
    assert.equal(clock.rtcStart, 5);
  });

  it("R3.4 CPUs that wait to be started have the boot CPU's memory types", () => {
    const { bootCpu, waitingMsrs } = planOf(makeBzImage(), { cpus: 2 });
    assert.ok(waitingMsrs !== undefined && Object.keys(waitingMsrs).length === 3);
    for (const [index, value] of Object.entries(waitingMsrs))
      assert.equal(bootCpu.msrs[Number(index)], value);
  });

  it("R2.2 features are switched one by one", () => {
    assert.equal(hasFeature(planOf(makeBzImage(), { features: { sse4_2: false } }).cpuid, "sse4_2"), false);
    assert.equal(hasFeature(planOf(makeBzImage()).cpuid, "sse4_2"), true);
  });

  describe("R1.6 what an engine offers is an input of the plan", () => {
    const kernel = { name: "k", bytes: makeBzImage() };
    const engine = { cpuFeatures: withFeatures({ sha_ni: false }), adoptsMemory: false };

    it("R1.6 an engine without sha_ni gets a plan whose CPUID is without it, and the plan says so", () => {
      const { cpuid, warnings } = buildPlan({ kernel }, { engine });
      assert.equal(hasFeature(cpuid, "sha_ni"), false);
      assert.equal(hasFeature(cpuid, "aes"), true);
      assert.match(warnings.join("\n"), /engine does not offer sha_ni/);
    });

    it("R1.6 what is switched off anyway needs no word", () => {
      assert.deepEqual(buildPlan({ kernel, features: { sha_ni: false } }, { engine }).warnings, []);
    });

    it("R1.6 without an engine, or with one that has it, a plan has what was asked for", () => {
      const asked = { kernel, features: { avx2: true } };
      const all = { cpuFeatures: withFeatures({ avx2: true }), adoptsMemory: false };
      for (const surroundings of [{}, { engine: all }]) {
        const { cpuid, warnings } = buildPlan(asked, surroundings);
        assert.ok(hasFeature(cpuid, "avx2") && hasFeature(cpuid, "sha_ni"));
        assert.deepEqual(warnings, []);
      }
    });

    it("R1.6 a feature that is asked for and that the engine lacks is refused by name, as a usage error", () => {
      for (const name of ["sha_ni", "avx2"]) {
        assert.throws(
          () => buildPlan({ kernel, features: { [name]: true, aes: true } }, { engine }),
          (error) => {
            assert.ok(error instanceof OptionError);
            assert.deepEqual(error.fault.place, { kind: "option", name: "cpu" });
            assert.equal(error.fault.found, `+${name}`);
            assert.match(error.message, /features that the engine offers.*leave it out/);
            assert.equal(explain(error).status, EXIT_STATUS.usage);
            return true;
          },
        );
      }
    });

    it("R1.7 the plan says whether contents are copied into the engine's memory", () => {
      assert.deepEqual(buildPlan({ kernel }, { engine }).memory, { contents: "copied" });
      const adopting = { ...engine, adoptsMemory: true };
      assert.deepEqual(buildPlan({ kernel }, { engine: adopting }).memory, { contents: "adopted" });
      assert.equal(buildPlan({ kernel }).memory, undefined, "nobody said which engine");
    });

    it("R1.6 commands and the machine's thread plan for the engine of the run", async () => {
      const boot = { kernel, features: { avx2: true } };
      await assert.rejects(makePlan({ boot }), OptionError);
      await assert.rejects(makePlan({ boot }, "wasm"), OptionError);
      await assert.rejects(makePlan({ boot: { kernel } }, "none"), EngineUnavailable);
      assert.deepEqual((await makePlan({ boot: { kernel } })).plan.warnings, []);
    });
  });

  const bad: [string, Parameters<typeof planOf>[1], RegExp][] = [
    ["no CPU", { cpus: 0 }, /found 0 CPUs; expected 1 to 64/],
    ["too many CPUs", { cpus: 255 }, /255 CPUs/],
    ["half a CPU", { cpus: 1.5 }, /1.5 CPUs/],
    ["memory off a page", { memory: 64 * 1024 * 1024 + 1 }, /multiple of 4096/],
    ["too little memory", { memory: 4096 }, /option m: found 4096 bytes of RAM/],
    [
      "a clock that stands",
      { clock: { deterministic: { nsPerInstruction: 0 } } },
      /whole number of at least 1/,
    ],
    ["a date that is no number", { clock: { rtcStart: Number.NaN } }, /whole seconds/],
  ];
  for (const [what, options, expected] of bad) {
    it(`R1.5 ${what} is refused`, () => {
      assert.throws(
        () => planOf(makeBzImage(), options),
        (error) => error instanceof OptionError && expected.test(error.message),
      );
    });
  }
});

describe("R1.6 the plan", () => {
  it("R1.6 is plain data: structuredClone gives an equal plan", () => {
    const plan = planOf(makeBzImage(), { cpus: 3 });
    assert.deepEqual(structuredClone(plan), plan);
  });

  it("R1.6 is pure: the same options give the same plan", () => {
    assert.deepEqual(planOf(elfBoth), planOf(elfBoth));
  });

  it("R1.6 kernel and initrd are not copied", () => {
    const image = makeBzImage();
    const { content } = region(planOf(image), "kernel");
    assert.ok(content.kind === "bytes" && content.bytes.buffer === image.buffer);
  });

  it("R1.6 more than 3 GiB of RAM continues at 4 GiB, and the guest is told", () => {
    const plan = planOf(makeBzImage(), { memory: 5 * 2 ** 30 });
    assert.equal(plan.ram.length, 2);
    assert.deepEqual(plan.e820.at(-1), { start: 2 ** 32, size: 2 * 2 ** 30, type: "ram" });
    assert.ok(
      region(
        planOf(makeBzImage(), { memory: 5 * 2 ** 30, initrd: { name: "i", bytes: Uint8Array.of(1) } }),
        "initrd",
      ).start < 0xc0000000,
    );
  });

  it("R3.4 firmware tables are where the plan says", () => {
    const { tables } = planOf(makeBzImage(), { cpus: 2 });
    const plan = planOf(makeBzImage(), { cpus: 2 });
    const magic = (name: string, length: number): string => memoryAt(plan, tables[name]).latin1(0, length);
    assert.equal(magic("RSDP", 8), "RSD PTR ");
    for (const name of ["XSDT", "FACP", "APIC", "DSDT", "FACS"]) assert.equal(magic(name, 4), name);
    assert.equal(magic("MP floating pointer", 4), "_MP_");
    assert.equal(magic("MP configuration table", 4), "PCMP");
  });

  it("R1.9 memory types are set as a firmware sets them", () => {
    const { msrs } = planOf(makeBzImage()).bootCpu;
    assert.deepEqual(msrs, { 0x200: 0xc000_0000n, 0x201: 0xff_c000_0800n, 0x2ff: 0x806n });
  });

  it("R1.6 devices do not share ports", () => {
    const taken = new Map<number, string>();
    for (const { name, ports = [] } of planOf(makeBzImage()).devices) {
      for (const { start, size } of ports) {
        for (let port = start; port < start + size; port++) {
          assert.equal(taken.get(port), undefined, `port 0x${port.toString(16)}`);
          taken.set(port, name);
        }
      }
    }
  });
});

describe("R4.4 hostile images", () => {
  const memory = 64 * 1024 * 1024;
  /** Asserts that spans ascend, do not overlap and end inside RAM. */
  const assertDisjoint = (what: string, spans: readonly { start: number; size: number }[]): void => {
    const ends = [0, ...spans.map(({ start, size }) => start + size)];
    assert.ok((ends.at(-1) ?? 0) <= memory, `${what} ends at ${ends.at(-1)}`);
    spans.forEach(({ start, size }, i) => {
      assert.ok(size > 0 && start >= ends[i], `${what} ${i}: ${start} + ${size} after ${ends[i]}`);
    });
  };
  /** What holds for every plan, whatever the image. */
  const assertSound = (plan: Plan): void => {
    const regions = [...plan.regions].sort((a, b) => a.start - b.start);
    assertDisjoint("region", regions);
    assertDisjoint("e820 entry", plan.e820);
    for (const { name, size, content } of regions)
      assert.ok(content.kind === "zero" || content.bytes.length <= size, `${name} overflows`);
    const entry = Number(plan.bootCpu.rip);
    const entered = regions.find(({ start, size }) => entry >= start && entry < start + size);
    assert.equal(entered?.owner, plan.loader.name, `entry ${entry}`);
  };
  /** A plan, or a refusal with its facts, by every loader; anything else fails the test. */
  const survives = (bytes: Uint8Array): void => {
    for (const name of [undefined, "linux", "pvh", "elf64"]) {
      try {
        assertSound(
          planOf(bytes, { memory, loader: { name }, initrd: { name: "i", bytes: Uint8Array.of(1, 2, 3) } }),
        );
      } catch (error) {
        assert.ok(error instanceof BootError, String(error));
        assert.ok(error.fault.found.length > 0 && error.fault.expected.length > 0);
        assert.ok(!(error instanceof OptionError) || /append/.test(error.message), error.message);
      }
    }
  };
  const extremes = fc.constantFrom(
    0,
    1,
    0xff,
    0x200,
    0xfff,
    0x1000,
    0xf_ffff,
    0x10_0000,
    0x7fff_ffff,
    0xffff_ffff,
    2 ** 32,
    2 ** 52,
    2 ** 53 - 1,
  );

  it("R4.4 property: setup headers with extreme fields give a plan or a refusal", () => {
    const field = fc.tuple(fc.constantFrom(...SETUP_FIELDS), extremes);
    fc.assert(
      fc.property(fc.array(field, { minLength: 1, maxLength: 4 }), (changes) => {
        const fields = Object.fromEntries(
          changes.map(([{ name, size }, value]) => [
            name,
            size === 8 ? BigInt(value) : value % 2 ** (8 * size),
          ]),
        );
        survives(makeBzImage({ fields }));
      }),
      { numRuns: 1500 },
    );
  });

  it("R4.4 property: ELF segments at extreme places give a plan or a refusal", () => {
    const segment = fc.record({
      paddr: extremes,
      vaddr: extremes,
      memsz: extremes,
      filesz: fc.constantFrom(0, 16, 64, 2 ** 40),
    });
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 3 }), extremes, (segments, entry) => {
        const parts = segments.map((one) => ({ ...one, bytes: new Uint8Array(64) }));
        const note = { type: PT.NOTE, bytes: makeNotes([makePvhNote(entry % 2 ** 32)]) };
        survives(makeElf({ entry, segments: [...parts, note] }));
      }),
      { numRuns: 1500 },
    );
  });

  it("R4.4 property: flipped bits and cuts give a plan or a refusal", () => {
    const images = [makeBzImage(), elfBoth];
    fc.assert(
      fc.property(
        fc.constantFrom(...images),
        fc.array(fc.tuple(fc.nat(1023), fc.nat(7)), { maxLength: 6 }),
        fc.nat(4096),
        (image, flips, cut) => {
          const bytes = image.slice(0, Math.max(1, image.length - (cut % image.length)));
          for (const [at, bit] of flips) if (at < bytes.length) bytes[at] ^= 1 << bit;
          survives(bytes);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
