/**
 * The first steps of a run's guest: its streams, and that it waits for its command. A port can be opened once only, and a program may open
 * /dev/stderr anew; so each stream is a pipe, with a thread that carries it to its port or from it.
 */
import type { RunStreams } from "../run-options.js";
import { closedByExecve, pipe, relay, whole } from "./carry.js";
import { OVER, PORTS, RELAYED, STREAMS } from "./descriptors.js";
import { giveUp } from "./give-up.js";
import { Label, Step, type StepList } from "./step-list.js";
import { HEAD, PLACES } from "./step-program.js";
import { O_CLOEXEC, O_RDONLY, RNDRESEEDCRNG } from "./system-calls.js";

const EVERYBODY = 0o666;

export type OutputName = "stdout" | "stderr";

/** What of the command's output comes by pipes. */
export function pipedOutputs({ terminal, separateErrors }: RunStreams): OutputName[] {
  if (!terminal) return ["stdout", "stderr"];
  return separateErrors ? ["stderr"] : [];
}

/** Pipes and relays, and that no program gets what is not its own. */
export function streamSteps(list: StepList, streams: RunStreams): void {
  const outputs = pipedOutputs(streams);
  const [failed, done] = [new Label(), new Label()];
  closedByExecve(list, PORTS.control);
  pipe(list, OVER, failed);
  for (const [buffer, name] of outputs.entries()) {
    closedByExecve(list, PORTS[name]);
    pipe(list, { reads: RELAYED[name], writes: STREAMS[name] }, failed);
    // Another user may open it anew, as /dev/stderr.
    list.call("fchmod", [STREAMS[name], EVERYBODY]);
    relay(list, { from: RELAYED[name], to: PORTS[name], buffer, over: OVER.writes });
  }
  if (!streams.terminal) {
    closedByExecve(list, PORTS.stdin);
    pipe(list, { reads: STREAMS.stdin, writes: RELAYED.stdin }, failed);
    list.call("fchmod", [STREAMS.stdin, EVERYBODY]);
    relay(list, { from: PORTS.stdin, to: RELAYED.stdin, buffer: outputs.length });
  }
  list.go(done);
  list.place(failed);
  giveUp(list, "setup: the guest's kernel makes no pipes");
  list.place(done);
}

/** Until everything that was written to the pipes is in the ports: nobody has them open any more. */
export function relayedSteps(list: StepList, streams: RunStreams): void {
  const heard = list.words([0]);
  for (const _ of pipedOutputs(streams)) list.call("read", [OVER.reads, heard, 1]);
}

/** Says that it waits, and whether its kernel makes random numbers anew when it is told to; takes steps and goes on with them. */
export function waitSteps(list: StepList): void {
  const reseed = new Step();
  const [alike, head, lost] = [new Label(), new Label(), new Label()];
  list.call("open", [list.text("/dev/urandom"), O_RDONLY | O_CLOEXEC], { store: reseed.argument(0) });
  list.call("ioctl", [0, RNDRESEEDCRNG], { as: reseed, failed: alike });
  list.write(PORTS.control, "waiting\n");
  list.go(head);
  list.place(alike);
  list.write(PORTS.control, "waiting alike\n");
  list.place(head);
  const taken = new Step();
  whole(list, "read", [PORTS.control, PLACES.head, HEAD.bytes], { lost });
  list.call("load", [PLACES.head + HEAD.length, -1], { store: taken.argument(2) });
  whole(list, "read", [PORTS.control, PLACES.later, 0], { as: taken, lost });
  list.go(PLACES.later);
  list.place(lost);
  giveUp(list, "setup: the command was not handed over");
}
