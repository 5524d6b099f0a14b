import { testNotebook } from "../support/test-notebook.js";

testNotebook("papers/meo", "budget=glance");
