import { TestCoordinator } from "./testing.ts";

// A coordinator as a process of its own, for tests that stop it: prints its address, and
// "hello" when an agent has come.
const coordinator = await TestCoordinator.start(process.argv[2] ?? "", 1n);
console.log(coordinator.address);
const look = setInterval(() => {
  if (coordinator.all("hello").length === 0) return;
  clearInterval(look);
  console.log("hello");
}, 10);
