/** What outlives the page: a few records in the browser's IndexedDB, by name. */

const TABLE = 'records';

export class Store {
    #opened;

    constructor(name = 'romaine-memory') {
        this.#opened = new Promise((resolve, reject) => {
            const request = indexedDB.open(name, 1);
            request.onupgradeneeded = () => request.result.createObjectStore(TABLE);
            request.onsuccess = () => resolve(request.result);
            request.onerror = () => reject(request.error);
        });
        this.#opened.catch(() => {}); // whoever asks is told
    }

    /** The record of a name, or undefined. */
    get(name) {
        return this.#ask('readonly', (table) => table.get(name));
    }

    /** Names that begin so. */
    names(prefix) {
        const range = IDBKeyRange.bound(prefix, `${prefix}\uffff`);
        return this.#ask('readonly', (table) => table.getAllKeys(range));
    }

    /** Keeps a record, or drops it if it is undefined. */
    set(name, record) {
        return this.#ask('readwrite', (table) =>
            record === undefined ? table.delete(name) : table.put(record, name),
        );
    }

    async #ask(mode, question) {
        const base = await this.#opened;
        return new Promise((resolve, reject) => {
            const transaction = base.transaction(TABLE, mode);
            const request = question(transaction.objectStore(TABLE));
            transaction.oncomplete = () => resolve(request.result);
            transaction.onerror = transaction.onabort = () => reject(transaction.error);
        });
    }
}
