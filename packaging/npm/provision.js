#!/usr/bin/env node
// Runs the binary that the package of this platform carries.
"use strict";
const { spawn } = require("node:child_process");
const os = require("node:os");

const platform = `wandb-provision-${process.platform}-${process.arch}`;
const file = process.platform === "win32" ? "provision.exe" : "provision";

let binary;
try {
  binary = require.resolve(`${platform}/bin/${file}`);
} catch {
  console.error(
    `error: the package ${platform} is not installed: there is no release for this platform, or npm left out optional dependencies\n\n` +
      "hint: npm install --include=optional wandb-provision",
  );
  process.exit(1);
}

const child = spawn(binary, process.argv.slice(2), { stdio: "inherit" });
// A terminal tells both: the run ends in its own way, and this waits for it.
process.on("SIGINT", () => {});
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("error", (error) => {
  console.error(`error: cannot start ${binary}: ${error.message}`);
  process.exit(1);
});
child.on("exit", (code, signal) => process.exit(code ?? 128 + os.constants.signals[signal]));
