import assert from "node:assert/strict";
import test from "node:test";
import { stripVTControlCharacters } from "node:util";
import { clone } from "@bufbuild/protobuf";
import fc from "fast-check";
import { RunState, RunStatusSchema } from "../../../proto/gen/moestro/v1/run_pb.js";
import { displayWidth } from "../view/text.ts";
import { runningAt, watched } from "./fixture.ts";
import { renderRun, stageBalance } from "./render-run.ts";
import { renderRuns } from "./render-runs.ts";
import { initialWatch, openRun, withUpdate } from "./watch-state.ts";

const SIZE = { columns: 80, rows: 24, color: false, unicode: true };
const ALL = watched();
const ONE = watched({ open: true });

