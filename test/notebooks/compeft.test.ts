import { testNotebook } from "../support/test-notebook.js";

testNotebook("papers/compeft", "budget=glance");
