import { testNotebook } from "../support/test-notebook.js";

testNotebook("papers/task-specific-expert-pruning", "budget=glance");
