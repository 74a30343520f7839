/** The subset of Python that scripts use between `%{` and `}%`. */
export type Statement =
  | { readonly kind: 'expression'; readonly value: Expr; readonly offset: number }
  | {
      readonly kind: 'assert';
      readonly test: Expr;
      readonly message: Expr | undefined;
      readonly source: string;
      readonly offset: number;
    }
  | {
      readonly kind: 'assign';
      readonly names: readonly string[];
      readonly operator: string;
      readonly value: Expr;
      readonly offset: number;
    }
  | { readonly kind: 'print'; readonly values: readonly Expr[]; readonly offset: number }
  | {
      readonly kind: 'if';
      readonly branches: readonly { readonly test: Expr; readonly body: readonly Statement[] }[];
      readonly otherwise: readonly Statement[];
      readonly offset: number;
    }
  | { readonly kind: 'pass'; readonly offset: number };

export type Expr =
  | { readonly kind: 'constant'; readonly value: Value }
  | { readonly kind: 'name'; readonly name: string; readonly offset: number }
  | { readonly kind: 'tuple'; readonly items: readonly Expr[] }
  | { readonly kind: 'unary'; readonly operator: string; readonly operand: Expr; readonly offset: number }
  | {
      readonly kind: 'binary';
      readonly operator: string;
      readonly left: Expr;
      readonly right: Expr;
      readonly offset: number;
    }
  | { readonly kind: 'logical'; readonly operator: 'and' | 'or'; readonly left: Expr; readonly right: Expr }
  | {
      readonly kind: 'compare';
      readonly first: Expr;
      readonly rest: readonly { readonly operator: string; readonly operand: Expr }[];
      readonly offset: number;
    }
  | { readonly kind: 'conditional'; readonly test: Expr; readonly whenTrue: Expr; readonly whenFalse: Expr }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Expr[]; readonly offset: number };

export type Value = number | string | boolean | null | readonly Value[];

/** Code that is no Python, or does not compute. */
export class CodeError extends Error {
  /** Offset into the snippet. */
  readonly offset: number;

  constructor(offset: number, message: string) {
    super(message);
    this.name = 'CodeError';
    this.offset = offset;
  }
}
