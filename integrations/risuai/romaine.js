//@name romaine_memory
//@display-name Romaine memory
//@api 3.0
//@version 1.0.0

/**
 * Romaine's memory in RisuAI: what is said goes to `romaine serve`, and what fits comes back into the prompt.
 *
 * RisuAI runs this in a frame of its own, without network, storage or a view of the chat: all of that goes
 * through `Risuai`, whose every answer is a promise.
 */

const DEFAULTS = {
    on: true,
    address: 'http://127.0.0.1:8077',
    key: '',
    user: '',
    name: 'User',
    budget: 600,
    messages: 3,
    sure: true,
    depth: 4,
    role: 'system',
    template: '[What was said long before and may matter now:\n{{memories}}]',
};
const BATCH = 64;
const BATCH_LENGTH = 300_000;
const LONGEST = 1_000_000;
const ASKED = 2_000;
const LIKELY = 0.1; // with this chance a memory fits, though another fits better
const PATIENCE = 5_000;
const LOOK = 30_000;

/** The server does not answer; what was to be sent waits. */
class Away extends Error {}
/** The server answered that it will not. */
class Refused extends Error {}

const chats = new Map(); // by key: scope, origin, present, sent (marks by id, or null), turns and gone that wait
const settings = { ...DEFAULTS, ...(await kept('settings')) };
let recalled = null;
let status = 'Nothing was sent yet.';
let sending = null;
let timer = 0;

function kept(name) {
    return Risuai.pluginStorage.getItem(`romaine ${name}`);
}

async function keep(name, record) {
    if (record === null) await Risuai.pluginStorage.removeItem(`romaine ${name}`);
    else await Risuai.pluginStorage.setItem(`romaine ${name}`, record);
}

// --- the server --------------------------------------------------------------------------------------------

/** The ways out. RisuAI's own proxy is none: it would not reach this machine, and the chat is not for it. */
const WAYS = [
    async (url, { method, headers, body }) => {
        const answer = await Risuai.nativeFetch(url, { method, headers, body: body && JSON.stringify(body) });
        return { status: answer.status, data: await answer.json() };
    },
    plainly,
    // a page that RisuAI did not get from a server of its own refuses this machine by these names, not by others
    (url, options) => plainly(url.replace(/^(https?:\/\/)(localhost|127\.0\.0\.1)(?=[:/])/i, '$1romaine.localhost'), options),
];
let way = null; // how the server is reached
let ways = WAYS; // those to try: once one has led there, it alone

async function plainly(url, options) {
    const answer = await Risuai.risuFetch(url, { ...options, plainFetchForce: true });
    if (!answer || typeof answer.data === 'string') throw new Away(answer?.data ?? 'no answer');
    return answer;
}

/** Finds a way before anything of a chat is sent, which one that leads by a proxy does not get. */
async function reach(address) {
    const attempt = async (each) => {
        const { data } = await inTime(each(`${address}/health`, { method: 'GET', headers: {} }));
        if (data?.status !== 'ok') throw new Away('Something else answers there.');
        return each;
    };
    // all at once, for one that RisuAI's version does not know how to answer is silent
    const found = await Promise.any(ways.map(attempt)).catch(({ errors }) => {
        throw new Away(`No answer from ${address}. ${errors.at(-1).message}`);
    });
    ways = [found];
    return found;
}

function forgetWay() {
    way = null;
    ways = WAYS;
}

function inTime(promise, patience = PATIENCE) {
    const late = new Promise((_, reject) => setTimeout(() => reject(new Away('no answer in time')), patience));
    return Promise.race([promise, late]);
}

async function call(method, path, body, patience) {
    const address = settings.address.trim().replace(/\/+$/, '').replace(/\/v1$/, '');
    way ??= await reach(address);
    const headers = body ? { 'Content-Type': 'application/json' } : {};
    if (settings.key) headers.Authorization = `Bearer ${settings.key.trim()}`;
    let answer;
    try {
        answer = await inTime(way(`${address}/v1/memory${path}`, { method, headers, body }), patience);
    } catch (error) {
        way = null;
        throw new Away(error.message);
    }
    const { status: code, data } = answer;
    if (code === 429 || code >= 500) throw new Away(`The server answered ${code}.`);
    if (code >= 400) throw new Refused(String(data?.detail ?? `The server answered ${code}.`));
    return data;
}

function scopeOf(character, chat) {
    const user = settings.user.trim() || (settings.key ? undefined : 'me');
    return { user, character: character.type === 'group' ? undefined : character.name, chat: chat.id ?? chat.name };
}

async function turnsOfServer(scope) {
    const found = [];
    for (let offset = 0; ; offset += 1000) {
        const asked = Object.entries({ ...scope, kinds: 'turn', offset, limit: 1000 });
        const query = new URLSearchParams(asked.filter(([, value]) => value !== undefined).map(([n, v]) => [n, `${v}`]));
        const { memories } = await call('GET', `/memories?${query}`);
        found.push(...memories.filter((each) => each.chat && each.source_id));
        if (memories.length < 1000) return found;
    }
}

// --- what is said goes to the memory -----------------------------------------------------------------------

/** The open chat as turns; ids as `romaine import` makes them, so that an imported chat is known again. */
async function openChat() {
    const character = await Risuai.getCharacter();
    const chat = character?.chats?.[character.chatPage];
    if (!chat) return null;
    const names = await membersOf(character);
    const key = JSON.stringify([settings.address, settings.user, character.name, chat.id ?? chat.name]);
    const { forgotten = [], off = false } = (await kept(`notes ${key}`)) ?? {};
    const until = chat.message.findLastIndex((message) => message.disabled === 'allBefore');
    const seen = new Map();
    const turns = [];
    let origin;
    chat.message.forEach((message, index) => {
        const times = (seen.get(message.chatId) ?? 0) + 1;
        if (message.chatId) seen.set(message.chatId, times);
        const source_id = message.chatId ? message.chatId + (times > 1 ? ` #${times}` : '') : `message ${index + 1}`;
        const branched = /^\{\{specialcomment::branchedfrom::([^:]+)::/.exec(message.data);
        if (branched) origin = branched[1];
        const isHidden = index <= until || message.disabled === true;
        if (message.isComment || branched || isHidden || !message.data?.trim() || forgotten.includes(source_id)) return;
        const isUser = message.role === 'user';
        const speaker = (message.name || (isUser ? settings.name : (names[message.saying] ?? character.name))).slice(0, 500);
        const told = { user: settings.name, char: character.name };
        const text = message.data.replace(/\{\{\s*(user|char)\s*\}\}/gi, (_, who) => told[who.toLowerCase()]);
        const turn = { source_id, text: text.slice(0, LONGEST).replace(/[\ud800-\udbff]$/, ''), speaker };
        turn.role = isUser ? 'user' : 'character';
        if (message.time) turn.at = new Date(message.time).toISOString();
        turns.push({ ...turn, mark: markOf(turn) });
    });
    const present = character.type === 'group' ? [settings.name, ...namesPresent(character, names)] : [];
    return { key, scope: scopeOf(character, chat), origin, present, turns, off, forgotten };
}

/** Names of a group's members by id. RisuAI asks the user once whether the plugin may see them. */
async function membersOf(character) {
    if (character.type !== 'group') return {};
    membersOf.known ??= Risuai.getDatabase(['characters']).catch(() => null); // a promise: one question, however long it stands
    return Object.fromEntries(((await membersOf.known)?.characters ?? []).map((each) => [each.chaId, each.name]));
}

function namesPresent(group, names) {
    const ids = group.characters.filter((_, index) => group.characterActive?.[index] !== false);
    return ids.map((id) => names[id]).filter(Boolean);
}

function markOf({ role, speaker, text }) {
    let mark = 7;
    for (const letter of `${role}\n${speaker}\n${text}`) mark = (Math.imul(mark, 31) + letter.codePointAt(0)) | 0;
    return `${mark.toString(36)}.${text.length}`;
}

/** Notes what the open chat shows, and sends what is new of it. */
async function compare() {
    const open = await openChat();
    if (!open || !settings.on || open.off || !open.turns.some((turn) => turn.role === 'user')) {
        await send(); // what waits of other chats
        return open;
    }
    const chat = chats.get(open.key) ?? { sent: await kept(`sent ${open.key}`), turns: [], gone: [] };
    const before = new Map(chat.turns.map((turn) => [turn.source_id, turn.known_by]));
    const ids = new Set(open.turns.map((turn) => turn.source_id));
    const sent = chat.sent ?? {};
    const waits = open.turns.filter((turn) => sent[turn.source_id] !== turn.mark);
    chat.turns = waits.map((turn) => ({ ...turn, known_by: before.get(turn.source_id) ?? open.present }));
    chat.gone = Object.keys(sent).filter((id) => !ids.has(id));
    Object.assign(chat, { key: open.key, scope: open.scope, origin: open.origin, address: settings.address });
    chats.set(open.key, chat);
    await send();
    return open;
}

function send() {
    sending ??= sendAll().finally(() => {
        sending = null;
    });
    return sending;
}

async function sendAll() {
    try {
        for (const chat of chats.values()) {
            if (chat.address === settings.address && chat.turns.length + chat.gone.length) await deliver(chat);
        }
        status = 'All that was said is in the memory.';
    } catch (error) {
        if (!(error instanceof Away || error instanceof Refused)) throw error;
        status = error instanceof Away ? `What is said now is sent later. ${error.message}` : error.message;
    }
    const waiting = [...chats.values()].filter((chat) => chat.turns.length + chat.gone.length);
    // what waits outlives a visit, for its chat may not be the one that is opened next
    await keep('waiting', waiting.length ? waiting : null);
    show();
}

async function deliver(chat) {
    const { scope } = chat;
    if (!chat.sent) await meet(chat);
    if (chat.gone.length) {
        await call('POST', '/retract', { scope, source_ids: chat.gone }, 60_000);
        for (const id of chat.gone) delete chat.sent[id];
        chat.gone = [];
    }
    const total = chat.turns.length;
    while (chat.turns.length) {
        status = `Sending: ${total - chat.turns.length} of ${total} messages.`;
        show();
        const batch = batchOf(chat.turns);
        const turns = batch.map(({ mark, known_by, ...turn }) => turn);
        await call('POST', '/turns', { scope, turns, known_by: batch[0].known_by }, 60_000);
        for (const { source_id, mark } of batch) chat.sent[source_id] = mark;
        chat.turns = chat.turns.filter((turn) => chat.sent[turn.source_id] !== turn.mark);
    }
    await keep(`sent ${chat.key}`, chat.sent);
}

/** Finds out what the server has of a chat; forks it if it was branched. */
async function meet(chat) {
    const { scope, origin } = chat;
    let held = await turnsOfServer(scope);
    if (!held.length && origin) {
        const theirs = await turnsOfServer({ ...scope, chat: origin });
        const same = (each, index) => chat.turns[index]?.mark === markOf(each) && chat.turns[index].source_id === each.source_id;
        const differs = theirs.findIndex((each, index) => !same(each, index));
        const shared = differs < 0 ? theirs : theirs.slice(0, differs);
        if (shared.length) {
            const at = shared.at(-1).position;
            await call('POST', '/branch', { scope: { ...scope, chat: origin }, at, to_chat: scope.chat });
            held = shared;
        }
    }
    chat.sent = Object.fromEntries(held.map((each) => [each.source_id, markOf(each)]));
    chat.turns = chat.turns.filter((turn) => chat.sent[turn.source_id] !== turn.mark);
}

function batchOf(turns) {
    const batch = [];
    let length = 0;
    for (const turn of turns) {
        length += turn.text.length;
        if (batch.length && (length > BATCH_LENGTH || String(turn.known_by) !== String(batch[0].known_by))) break;
        if (batch.push(turn) === BATCH) break;
    }
    return batch;
}

function later(pause = 1_500) {
    clearTimeout(timer);
    timer = setTimeout(() => compare().catch(console.error), pause);
}

// --- what fits comes into the prompt -----------------------------------------------------------------------

async function beforeRequest(messages, kind) {
    if (kind !== 'model' || !settings.on) return messages;
    try {
        return (await withMemories(messages)) ?? messages;
    } catch (error) {
        recalled = { hits: [], note: `Nothing was recalled: ${error.message}` };
        show();
        return messages;
    }
}

async function withMemories(messages) {
    const open = await inTime(compare());
    if (!open || open.off || !open.turns.length) return null;
    const query = open.turns.slice(-settings.messages).map((turn) => turn.text.slice(-ASKED));
    const prompt = messages.map((message) => String(message.content)).join('\n');
    const isShown = (turn) => prompt.includes(turn.text.trim().slice(0, 120));
    const without = [...open.turns.filter(isShown), ...open.turns.slice(-settings.messages)];
    const found = await call('POST', '/recall', {
        scope: open.scope,
        query,
        k: 10,
        token_budget: Number(settings.budget),
        min_score: settings.sure ? 'auto' : null,
        order: 'chronological',
        without_sources: without.map((turn) => turn.source_id).slice(-10_000),
        explain: true,
    });
    const best = Math.max(0, ...found.hits.map((hit) => hit.confidence));
    const fits = (hit) => !settings.sure || hit.memory.pinned || hit.confidence >= Math.min(LIKELY, best / 2);
    const hits = found.hits.filter(fits);
    recalled = { ...found, hits, key: open.key, scope: open.scope, query: query.at(-1) };
    show();
    if (!hits.length) return null;
    const lines = hits.map(({ memory: { speaker, text } }) => `${speaker ? `${speaker}: ` : ''}${text}`.replace(/\s*\n\s*/g, ' '));
    const content = settings.template.replace('{{memories}}', () => lines.join('\n'));
    const at = Math.max(0, messages.length - settings.depth);
    return [...messages.slice(0, at), { role: settings.role, content }, ...messages.slice(at)];
}

async function afterRequest(content, kind) {
    if (kind === 'model') {
        later();
        const ids = recalled?.hits.map((hit) => hit.memory.id);
        if (ids?.length) call('POST', '/mark_used', { scope: recalled.scope, ids }).catch(() => {});
    }
    return content;
}

// --- the panel ---------------------------------------------------------------------------------------------

const FIELDS = [
    ['on', 'checkbox', 'Remember and recall'],
    ['address', 'url', 'Server address'],
    ['key', 'password', 'Key (empty if the server needs none)'],
    ['user', 'text', "Whose memory (empty for the key's own)"],
    ['name', 'text', 'Your name in the story'],
    ['budget', 'number', 'Tokens of memories in a prompt'],
    ['messages', 'number', 'Messages to recall from'],
    ['sure', 'checkbox', 'Only if the memory is sure that something fits'],
    ['depth', 'number', 'Depth in the chat (0 is its end)'],
    ['role', ['system', 'user', 'assistant'], 'Role'],
    ['template', 'textarea', 'Template ({{memories}} stands for what was recalled)'],
];
const LEAF = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="20" height="20" fill="none" stroke="currentColor"
    stroke-width="2" stroke-linecap="round"><path d="M4 21C5 15 9 12 15 10M6 16C3 8 9 4 20 4C21 14 15 19 8 17"/></svg>`;
const STYLE = `
    body { margin: 0; font: 15px/1.5 system-ui, sans-serif; color: #e8e8e8; background: #1c1e22; }
    main { max-width: 720px; margin: 0 auto; padding: 16px; }
    header, .row { display: flex; gap: 8px; align-items: center; justify-content: space-between; }
    .row { justify-content: start; }
    label { display: block; margin: 8px 0 2px; }
    input:not([type=checkbox]), select, textarea { width: 100%; box-sizing: border-box; padding: 6px; color: inherit;
        background: #2a2d33; border: 1px solid #6b7078; border-radius: 4px; font: inherit; }
    button { padding: 6px 12px; color: inherit; background: #37506b; border: 1px solid #7d93ab; border-radius: 4px; font: inherit; }
    li { margin: 8px 0; padding: 8px; border: 1px solid #5b6068; border-radius: 6px; list-style: none; }
    ol { padding: 0; } .text { white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: plaintext; max-height: 12em; overflow: auto; }
    #status { position: sticky; top: 0; margin: 0; padding: 8px 0; background: inherit; } main { background: inherit; }
    .less { color: #b9bec6; font-size: 0.9em; }`;
let isShown = false;

function element(name, content = '', properties = {}) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...[content].flat()); // texts of a chat become text, never markup
    return made;
}

function button(label, act) {
    const made = element('button', label, { type: 'button' });
    made.addEventListener('click', async () => {
        try {
            await act(made);
        } catch (error) {
            status = error.message;
            show();
        }
    });
    return made;
}

async function openPanel() {
    isShown = true;
    const open = await openChat().catch(() => null);
    const here = element('input', '', { type: 'checkbox', checked: !open?.off, disabled: !open, id: 'here' });
    here.addEventListener('change', async () => {
        await keep(`notes ${open.key}`, { forgotten: open.forgotten, off: !here.checked });
        if (here.checked) later(0);
    });
    const test = button('Test', async () => {
        forgetWay();
        status = 'Asking…';
        show();
        const user = scopeOf({}, {}).user;
        const { scopes } = await call('GET', `/scopes${user ? `?user=${encodeURIComponent(user)}` : ''}`);
        status = `It answers: ${scopes.reduce((sum, each) => sum + each.memories, 0)} memories.`;
        show();
    });
    const close = button('Close', () => {
        isShown = false;
        return Risuai.hideContainer();
    });
    document.body.replaceChildren(
        element('style', STYLE),
        element('main', [
            element('header', [element('h1', 'Romaine memory'), close]),
            element('p', status, { id: 'status', role: 'status' }),
            element('section', '', { id: 'recalled' }),
            element('h2', 'Settings'),
            element('label', [here, ' Remember this chat'], { htmlFor: 'here' }),
            ...FIELDS.flatMap(([name, kind, label]) => field(name, kind, label)),
            element('p', test),
        ]),
    );
    show();
    await Risuai.showContainer('fullscreen');
}

function field(name, kind, label) {
    const tag = Array.isArray(kind) ? 'select' : kind === 'textarea' ? kind : 'input';
    const made = element(tag, Array.isArray(kind) ? kind.map((each) => element('option', each)) : '', { id: name });
    if (tag === 'input') made.type = kind;
    if (kind === 'number') made.min = name === 'depth' ? 0 : 1;
    const value = kind === 'checkbox' ? 'checked' : 'value';
    made[value] = settings[name];
    made.addEventListener('change', async () => {
        if (kind === 'number' && (!made.value || !made.checkValidity())) made.value = settings[name];
        settings[name] = kind === 'number' ? Number(made.value) : made[value];
        forgetWay();
        await keep('settings', settings);
        later();
    });
    if (kind === 'checkbox') return [element('label', [made, ` ${label}`], { htmlFor: name })];
    return [element('label', label, { htmlFor: name }), made];
}

function show() {
    if (!isShown) return;
    document.getElementById('status').textContent = status;
    const { query = '', hits = [], rejected = [], confidence, note } = recalled ?? { note: 'Nothing was asked yet.' };
    const why = note ?? (hits.length ? '' : 'Nothing fits well enough, so nothing was added to the prompt.');
    const chance = typeof confidence === 'number' ? `Chance that something fits: ${Math.round(100 * confidence)} %` : '';
    const left = rejected.slice(0, 10).map(({ memory, reason }) => element('li', `${(memory.text ?? '').slice(0, 200)} (${reason})`));
    document.getElementById('recalled').replaceChildren(
        element('h2', 'What was recalled'),
        element('p', query && `For: ${query.slice(0, 300)}`, { className: 'text less' }),
        element('p', [why, chance].filter(Boolean).join(' ')),
        element('ol', hits.map(hitShown)),
        ...(left.length ? [element('details', [element('summary', `Left out (${rejected.length})`), element('ol', left)])] : []),
    );
}

function hitShown(hit) {
    const { memory, parts } = hit;
    const told = Object.entries(parts).sort(([, a], [, b]) => Math.abs(b) - Math.abs(a));
    const pin = button(memory.pinned ? 'Unpin' : 'Pin', async () => {
        const act = memory.pinned ? 'unpin' : 'pin';
        memory.pinned = (await call('POST', `/memories/${memory.id}/${act}`, { scope: recalled.scope })).pinned;
        show();
    });
    const forget = button('Forget', async (asked) => {
        if (asked.textContent === 'Forget') {
            asked.textContent = 'Forget for good?';
            return;
        }
        await call('POST', '/forget', { scope: recalled.scope, ids: [memory.id] });
        const notes = (await kept(`notes ${recalled.key}`)) ?? {};
        // the message still stands in the chat, and must not come back from there
        await keep(`notes ${recalled.key}`, { ...notes, forgotten: [...(notes.forgotten ?? []), memory.source_id] });
        recalled.hits = recalled.hits.filter((each) => each !== hit);
        show();
    });
    return element('li', [
        element('strong', memory.speaker ?? memory.kind),
        element('div', (memory.text ?? '').slice(0, 1500), { className: 'text' }),
        element('div', told.map(([name, value]) => `${name} ${value.toFixed(2)}`).join(' · '), { className: 'less' }),
        element('div', [pin, forget], { className: 'row' }),
    ]);
}

// --- begin -------------------------------------------------------------------------------------------------

for (const chat of (await kept('waiting')) ?? []) chats.set(chat.key, { ...chat, sent: await kept(`sent ${chat.key}`) });
document.documentElement.lang = 'en';
document.title = 'Romaine memory';
await Risuai.registerSetting('Romaine memory', openPanel, LEAF, 'html');
await Risuai.registerButton({ name: 'Memory', icon: LEAF, iconType: 'html', location: 'chat' }, openPanel);
await Risuai.addRisuReplacer('beforeRequest', beforeRequest);
await Risuai.addRisuReplacer('afterRequest', afterRequest);
const clock = setInterval(() => later(0), LOOK);
await Risuai.onUnload(() => clearInterval(clock));
later(0);
