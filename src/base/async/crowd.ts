/** A member of a {@link Crowd}: the place belongs to the crowd. Negative: outside. */
export interface Placed {
  place: number;
}

/**
 * Objects that come and go thousands of times a second, in no order. V8 links each table of a Set or a Map to its successor.
 * Once a table is old, the garbage collector therefore keeps all later ones, with every object in them, until the next
 * collection of the whole heap. This list has no such links.
 */
export class Crowd<Member extends Placed> implements Iterable<Member> {
  readonly #members: Member[] = [];

  get size(): number {
    return this.#members.length;
  }

  add(member: Member): void {
    if (member.place >= 0) return;
    member.place = this.#members.length;
    this.#members.push(member);
  }

  /** Returns whether the member was here. */
  remove(member: Member): boolean {
    const { place } = member;
    if (this.#members[place] !== member) return false;
    member.place = -1;
    const last = this.#members.pop();
    if (last === undefined || last === member) return true;
    this.#members[place] = last;
    last.place = place;
    return true;
  }

  /** Those who are here now, also if they leave meanwhile. */
  [Symbol.iterator](): Iterator<Member> {
    return [...this.#members].values();
  }
}
