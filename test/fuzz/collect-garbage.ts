// Loaded into the coordinator's process beside its own code, by --import: what it holds
// then is what it needs.
process.on("SIGUSR2", () => global.gc?.());
