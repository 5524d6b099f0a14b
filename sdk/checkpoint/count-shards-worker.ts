// A thread that counts shards beside the main one: see count-by-two.ts.
import { parentPort, workerData } from "node:worker_threads";
import { countShards, type ShardJob } from "./count-shards.js";

void countShards(workerData as ShardJob).then((counted) => parentPort!.postMessage(counted));
