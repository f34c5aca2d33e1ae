/**
 * What `locore inspect` shows of a FIT. Only describes; decides nothing.
 */
import { hex } from "../../bytes/hex.js";
import type { Fact } from "../image.js";
import { problemFacts } from "../problem.js";
import type { FitConfiguration, FitImage, FitSubimage } from "./fit.js";

/** How many images and configurations are described one by one. */
const LISTED = 64;

function imageFacts(image: FitSubimage): Fact[] {
  const words = [image.type, image.arch, image.os, image.compression].filter((word) => word !== undefined);
  if (image.load !== undefined) words.push(`load ${hex(image.load)}`);
  if (image.entry !== undefined) words.push(`entry ${hex(image.entry)}`);
  const name = `image ${image.name}`;
  const facts: Fact[] = [{ name, value: words, offset: image.offset }];
  if (image.description !== undefined) {
    facts[0].meaning = image.description;
  }
  if (image.data !== undefined) {
    const meaning = image.content === undefined ? "data" : image.content;
    const value = `${image.data.bytes.length} bytes`;
    facts.push({ name: `${name} data`, value, offset: image.data.offset, meaning });
  }
  if (image.hashes.length > 0) facts.push({ name: `${name} digests`, value: image.hashes });
  return facts;
}

function configurationFact(configuration: FitConfiguration): Fact {
  const { name, offset, description, parts } = configuration;
  const value = Object.entries(parts).map(([role, image]) => `${role} ${image}`);
  return { name: `configuration ${name}`, value, offset, meaning: description ?? "what goes together" };
}

/** All facts of the image. */
export function fitFacts(image: Omit<FitImage, "facts" | "summary">): Fact[] {
  const facts: Fact[] = [{ name: "format", value: "U-Boot FIT", offset: 0 }];
  if (image.description !== undefined) facts.push({ name: "description", value: image.description });
  if (image.timestamp !== undefined) facts.push({ name: "timestamp", value: image.timestamp });
  facts.push(...image.images.slice(0, LISTED).flatMap(imageFacts));
  if (image.defaultConfiguration !== undefined) {
    facts.push({ name: "configurations.default", value: image.defaultConfiguration });
  }
  facts.push(...image.configurations.slice(0, LISTED).map(configurationFact));
  return [...facts, ...problemFacts(image.problems)];
}
