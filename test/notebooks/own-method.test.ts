import { testNotebook } from "../support/test-notebook.js";

testNotebook("lessons/own-method", "budget=glance");
