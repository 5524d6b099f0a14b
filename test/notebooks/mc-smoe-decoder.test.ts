import { testNotebook } from "../support/test-notebook.js";

testNotebook("papers/mc-smoe-decoder", "budget=glance");
