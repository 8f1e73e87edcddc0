// The page: sends what a person drops, records or types to the server, and shows the result.

import { draw, widthOf } from "./drawing.js";
import { canRecord, record } from "./microphone.js";

const ALTERNATIVES = 5;
const LONGEST_SUMMARY = 300; // characters that a screen reader speaks at once
const $ = (id) => document.getElementById(id);
const audio = $("audio");
let server = { hears: false, tags: false, has_grammar: false, key_needed: false, max_upload_bytes: 0, max_seconds: 0 };
let current = null; // what is shown: {file, words, visualization}
let pending = new AbortController();
let stopRecording = null;
const slotColours = new Map();

// --- requests

async function request(path, options = {}) {
  const headers = { ...options.headers };
  if ($("key").value) headers.Authorization = `Bearer ${$("key").value}`;
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server cannot be reached.");
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  if (response.status === 401) $("key").focus();
  throw new Error(answer.error ? answer.error.message : `The server answered ${response.status}.`);
}

function form(file, fields = {}) {
  const body = new FormData();
  body.append("file", file);
  Object.entries(fields).forEach(([name, value]) => body.append(name, value));
  return body;
}

function post(path, body, signal, headers = {}) {
  return request(path, { method: "POST", body, signal, headers });
}

/** Understand a file; a server without a tagger gives a transcript, in the same shape. */
async function understand(file, signal, alternatives = 0) {
  if (server.tags) return post("v1/understand", form(file, { alternatives, mode: $("mode").value }), signal);
  const transcript = await post("v1/audio/transcriptions", form(file, { response_format: "verbose_json" }), signal);
  const words = transcript.words.map((word) => ({ ...word, text: word.word }));
  return { text: transcript.text, written_text: transcript.text, words, slots: [], intent: null, alternatives: [] };
}

// --- status

function showStatus(text, isError = false) {
  $("status").textContent = text;
  $("status").classList.toggle("error", isError);
}

async function attempt(work) {
  pending.abort();
  pending = new AbortController();
  const { signal } = pending;
  $("speech").setAttribute("aria-busy", "true");
  try {
    await work(signal);
  } catch (error) {
    if (error.name !== "AbortError") showStatus(error.message, true);
  } finally {
    if (signal === pending.signal) $("speech").removeAttribute("aria-busy");
  }
}

function summary(found) {
  if (!found.text) return found.no_match ? "None of these: no sentence of the grammar was said." : "No speech was found.";
  const parts = found.no_match ? ["No sentence of the grammar was said."] : [];
  parts.push(`${found.no_match ? "Heard" : "Understood"}: ${found.written_text || found.text}.`);
  if (found.intent) parts.push(`Intent: ${plain(found.intent)}.`);
  if (found.slots.length) parts.push(`Slots: ${found.slots.map((slot) => `${plain(slot.label)} ${slot.written || slot.text || slot.value}`).join(", ")}.`);
  const whole = parts.join(" ");
  return whole.length <= LONGEST_SUMMARY ? whole : `${whole.slice(0, LONGEST_SUMMARY)} …`;
}

const plain = (name) => name.replaceAll("_", " ");
const percent = (share) => `${(100 * share).toFixed(1)} %`;

// --- results

function element(name, content = "", className = "") {
  const made = document.createElement(name);
  made.textContent = content;
  made.className = className;
  return made;
}

function slotClass(label) {
  if (!slotColours.has(label)) slotColours.set(label, slotColours.size % 8);
  return `slot slot-${slotColours.get(label)}`;
}

/** A text with its slots coloured and labelled; `spans` are {label, start, end} in order. */
function marked(text, spans) {
  const parts = [];
  let position = 0;
  for (const { label, start, end } of spans.filter((each) => each.start < each.end)) {
    parts.push(characters(text, position, start));
    const slot = element("span", characters(text, start, end), slotClass(label));
    slot.append(element("small", plain(label)));
    parts.push(slot);
    position = end;
  }
  parts.push(characters(text, position));
  return parts;
}

/** A part of a text. Offsets count characters, as the server does, not UTF-16 code units. */
function characters(text, start, end) {
  return [...text].slice(start, end).join("");
}

/** The words of a transcript in the colours of their slots; each is a button that plays the recording from there. */
function spokenWords(found) {
  const parts = [];
  let position = 0, slot = null, group = null;
  for (const word of found.words) {
    const inside = found.slots.find((each) => each.start < position + [...word.text].length && each.end > position);
    if (!inside || inside !== slot) {
      group = inside ? element("span", "", slotClass(inside.label)) : null;
      if (parts.length) parts.push(" ");
      if (group) parts.push(group);
    } else {
      group.append(" ");
    }
    const button = element("button", word.text, "word");
    button.type = "button";
    button.title = `${word.start.toFixed(2)} s to ${word.end.toFixed(2)} s, confidence ${percent(word.confidence)}`;
    button.addEventListener("click", () => play(word.start));
    if (group) group.append(button);
    else parts.push(button);
    slot = inside || null;
    position += [...word.text].length + 1;
  }
  return parts;
}

function show(found, name = "") {
  $("result").hidden = false;
  $("result-title").textContent = name ? `Result: ${name}` : "Result";
  showMatch(found);
  $("intent").hidden = !found.intent;
  if (found.intent) {
    const name = element("b", plain(found.intent));
    $("intent").replaceChildren("Intent: ", name, ` ${percent(found.intent_confidence)}`);
  }
  const written = found.slots.map((slot) => ({ label: slot.label, start: slot.written_start, end: slot.written_end }));
  if (found.words) {
    $("written").replaceChildren(...(server.tags ? marked(found.written_text, written) : []));
    $("spoken").replaceChildren(...spokenWords(found));
  } else {
    $("written").replaceChildren(...marked(found.text, found.slots));
    $("spoken").replaceChildren();
  }
  $("slots").hidden = !found.slots.length;
  $("slots").classList.toggle("typed", !found.words);
  $("slots").tBodies[0].replaceChildren(...found.slots.map(slotRow));
  showStatus(summary(found));
}

/** Whether the recording is a sentence of the grammar, where one was looked for. */
function showMatch(found) {
  $("match").hidden = typeof found.grammar_confidence !== "number" && !found.no_match;
  if ($("match").hidden) return;
  const sure = typeof found.grammar_confidence === "number" ? ` Probability that it is one: ${percent(found.grammar_confidence)}` : "";
  $("match").replaceChildren(element("b", found.no_match ? "None of these: no sentence of the grammar." : "A sentence of the grammar."), sure);
}

function slotRow(slot) {
  const time = slot.start_seconds === undefined || !slot.text ? "" : `${slot.start_seconds.toFixed(2)}–${slot.end_seconds.toFixed(2)} s`;
  const row = element("tr");
  const name = element("th");
  name.scope = "row";
  name.append(element("span", plain(slot.label), slotClass(slot.label)));
  const cells = [slot.written || slot.text, slot.text, slot.value || "", time, percent(slot.confidence)];
  row.append(name, ...cells.map((text) => element("td", text)));
  return row;
}

function showAlternatives(found) {
  const rows = found.alternatives.map((alternative) => {
    const row = element("li");
    const written = alternative.slots.map((slot) => ({ label: slot.label, start: slot.written_start, end: slot.written_end }));
    const text = element("p", "", "text");
    text.append(...marked(alternative.written_text, written));
    row.append(text, element("p", `spoken: ${alternative.text}; probability that everything is right: ${alternative.confidence.toPrecision(2)}`, "note"));
    return row;
  });
  $("alternatives").replaceChildren(...(rows.length ? rows : [element("li", "There is no alternative.")]));
  openAlternatives(true);
}

function openAlternatives(open) {
  $("alternatives").hidden = !open;
  $("more").setAttribute("aria-expanded", String(open));
}

// --- recordings

function recognize(file, wasChosen = false) {
  if (!file) return;
  if (!wasChosen) $("file").value = ""; // or it would name a file that is not shown
  if (file.size > server.max_upload_bytes) {
    showStatus(`${file.name} is larger than the ${(server.max_upload_bytes / 2 ** 20).toFixed(1)} MB that the server accepts.`, true);
    return;
  }
  attempt(async (signal) => {
    clear();
    showStatus(`Transcribing ${file.name} …`);
    load(file);
    const visualization = post("v1/posteriors", form(file), signal).catch(() => null); // the other request reports the error
    const found = await understand(file, signal);
    current = { file, words: found.words, visualization: null };
    show(found, file.name);
    $("player").hidden = false;
    $("alternatives-box").hidden = !server.tags;
    current.visualization = await visualization;
    if (current.visualization && !signal.aborted) showVisualization();
  });
}

function clear() {
  $("result").hidden = $("visualization").hidden = $("player").hidden = $("alternatives-box").hidden = true;
  openAlternatives(false);
  current = null;
}

function load(file) {
  audio.pause();
  if (audio.src) URL.revokeObjectURL(audio.src);
  $("audio-note").hidden = true;
  audio.hidden = false;
  audio.src = URL.createObjectURL(file);
}

function showVisualization() {
  $("visualization").hidden = false;
  const { visualization, words } = current;
  const isCut = visualization.drawn_seconds < visualization.duration_seconds;
  $("visualization-note").textContent = isCut ? `The first ${visualization.drawn_seconds.toFixed(0)} of ${visualization.duration_seconds.toFixed(0)} seconds are drawn.` : "";
  $("waveform").setAttribute("aria-label", `Waveform of ${visualization.drawn_seconds.toFixed(1)} seconds; words: ${words.map((word) => `${word.text} at ${word.start.toFixed(1)}`).join(", ")}`);
  $("spectrogram").setAttribute("aria-label", `Mel spectrogram of ${visualization.drawn_seconds.toFixed(1)} seconds`);
  $("posteriors").setAttribute("aria-label", `Posterior of each character over time; emitted: ${visualization.emitted.map((each) => each.symbol).join("")}`);
  redraw();
}

function redraw() {
  if (!current || !current.visualization) return;
  const width = widthOf(current.visualization.drawn_seconds, $("scroll").clientWidth);
  draw(current.visualization, current.words, width);
  follow();
}

// --- playing

function play(seconds) {
  audio.currentTime = seconds;
  audio.play().catch(() => {}); // a note says that it cannot be played
}

/** Mark the word that is being played, and the position in the visualization. */
function follow() {
  if (!current) return;
  const time = audio.currentTime;
  const marked = !audio.paused || time > 0;
  const buttons = $("spoken").querySelectorAll(".word");
  current.words.forEach((word, number) => {
    buttons[number].classList.toggle("now", marked && time >= word.start && time < word.end);
  });
  const visualization = current.visualization;
  $("playhead").hidden = !(marked && visualization && time <= visualization.drawn_seconds);
  if (visualization) {
    const x = (time / visualization.drawn_seconds) * $("waveform").clientWidth;
    $("playhead").style.transform = `translateX(${x}px)`;
    keepVisible(x);
  }
}

function keepVisible(x) {
  const box = $("scroll");
  if (audio.paused || box.scrollWidth <= box.clientWidth) return;
  if (x < box.scrollLeft || x > box.scrollLeft + box.clientWidth - 40) box.scrollLeft = x - 40;
}

function tick() {
  follow();
  if (!audio.paused) requestAnimationFrame(tick);
}

// --- recording

async function toggleRecording() {
  if (stopRecording) {
    const stop = stopRecording;
    stopRecording = null;
    setRecording(false);
    try {
      recognize(await stop());
    } catch {
      showStatus("The recording cannot be decoded; is it empty?", true);
    }
    return;
  }
  try {
    stopRecording = await record(server.max_seconds, toggleRecording);
    setRecording(true);
  } catch (error) {
    showStatus(`The microphone is not available: ${error.message}`, true);
  }
}

function setRecording(on) {
  $("record").setAttribute("aria-pressed", String(on));
  $("record").textContent = on ? "Stop and transcribe" : "Record";
  showStatus(on ? "Recording …" : "");
}

// --- start

async function start() {
  try {
    server = await request("health");
  } catch (error) {
    showStatus(error.message, true);
    return;
  }
  const can = [server.hears && "recognizes speech", server.tags && "finds slots"].filter(Boolean).join(" and ");
  $("serving").textContent = `This server ${can}. It stores nothing that you send.`;
  $("key-field").hidden = !server.key_needed;
  $("speech").hidden = !server.hears;
  $("text").hidden = !server.tags;
  $("mode-field").hidden = !server.has_grammar;
  if (server.hears && !canRecord()) {
    $("record").disabled = true;
    $("record-note").hidden = false;
    $("record-note").textContent = "Recording needs a microphone, and this page over https or from localhost.";
  }
}

function tagSentence() {
  const text = $("sentence").value.trim();
  if (!text) return;
  attempt(async (signal) => {
    clear();
    audio.pause();
    const headers = { "Content-Type": "application/json" };
    show(await post("v1/tag", JSON.stringify({ text }), signal, headers));
  });
}

function addDropping() {
  const over = (on) => $("drop").classList.toggle("over", on);
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    over(server.hears);
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget || over(false));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    if (server.hears) recognize(event.dataTransfer.files[0]);
  });
}

function addListeners() {
  $("file").addEventListener("change", () => recognize($("file").files[0], true));
  $("mode").addEventListener("change", () => current && recognize(current.file, true));
  $("record").addEventListener("click", toggleRecording);
  $("tag").addEventListener("click", tagSentence);
  $("sentence").addEventListener("keydown", (event) => event.key === "Enter" && tagSentence());
  $("more").addEventListener("click", () => {
    if (!$("alternatives").hidden) openAlternatives(false);
    else attempt(async (signal) => showAlternatives(await understand(current.file, signal, ALTERNATIVES)));
  });
  for (const id of ["waveform", "spectrogram", "posteriors"]) {
    $(id).addEventListener("click", (event) => {
      play((event.offsetX / event.target.clientWidth) * current.visualization.drawn_seconds);
    });
  }
  for (const name of ["play", "seeked", "pause"]) audio.addEventListener(name, tick);
  audio.addEventListener("error", () => {
    audio.hidden = true;
    $("audio-note").hidden = false;
  });
  new ResizeObserver(redraw).observe($("scroll"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}

addDropping();
addListeners();
start();
