// Runs before the first row is read. Without it the browser lays the whole table out, which takes long for large fleets.
document.documentElement.classList.add("js");
addEventListener("error", () => document.documentElement.classList.remove("js"));
