/**
 * A Map whose entries take turns: the first is found, and moved behind the others, in constant time.
 * A Map itself looks for its first entry among all that have left it.
 */
export class Ring<Id, Value> {
  readonly #nodes = new Map<Id, Node<Value>>();
  #first: Node<Value> | undefined;
  #last: Node<Value> | undefined;

  get size(): number {
    return this.#nodes.size;
  }

  /** The value whose turn it is. */
  get first(): Value | undefined {
    return this.#first?.value;
  }

  /** The value that was added or moved last. */
  get last(): Value | undefined {
    return this.#last?.value;
  }

  get(id: Id): Value | undefined {
    return this.#nodes.get(id)?.value;
  }

  /** Adds a value, last; there must be none of this id. */
  add(id: Id, value: Value): void {
    const node = { value, previous: undefined, next: undefined };
    this.#nodes.set(id, node);
    this.#link(node);
  }

  /** There must be one of this id. */
  moveLast(id: Id): void {
    const node = this.#nodes.get(id)!;
    if (node === this.#last) return;
    this.#unlink(node);
    this.#link(node);
  }

  /** There must be one of this id. */
  delete(id: Id): void {
    this.#unlink(this.#nodes.get(id)!);
    this.#nodes.delete(id);
  }

  /** In the order of their turns. The value that `visit` is given may be deleted by it. */
  forEach(visit: (value: Value) => void): void {
    let next: Node<Value> | undefined;
    for (let node = this.#first; node !== undefined; node = next) {
      next = node.next;
      visit(node.value);
    }
  }

  #link(node: Node<Value>): void {
    node.previous = this.#last;
    node.next = undefined;
    if (this.#last === undefined) this.#first = node;
    else this.#last.next = node;
    this.#last = node;
  }

  #unlink({ previous, next }: Node<Value>): void {
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
  }
}

interface Node<Value> {
  readonly value: Value;
  previous: Node<Value> | undefined;
  next: Node<Value> | undefined;
}
