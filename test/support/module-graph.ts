// What a TypeScript module needs when it runs: the modules that it imports, and names that it takes from its host.
import { parseAst } from 'rolldown/parseAst';

interface SyntaxNode {
  readonly type: string;
  readonly [member: string]: unknown;
}

export interface RuntimeNeeds {
  /** As they are written. */
  readonly imports: readonly string[];
  /** Names that the module uses and does not declare. */
  readonly globals: readonly string[];
}

/** @param code of a module whose types can be stripped; comments and types need nothing */
export function runtimeNeeds(code: string): RuntimeNeeds {
  const program = parseAst(code, { lang: 'ts' }) as unknown as SyntaxNode;
  const imports = new Set<string>();
  const [used, declared] = [new Set<string>(), new Set<string>(['undefined', 'arguments'])];
  visit(program);
  return { imports: [...imports], globals: [...used].filter((name) => !declared.has(name)) };

  function visit(node: SyntaxNode): void {
    if (isModuleReference(node) && !isTypeOnly(node))
      imports.add((node.source as SyntaxNode)['value'] as string);
    if (node.type === 'ImportDeclaration') {
      for (const { local } of node['specifiers'] as SyntaxNode[]) declare(local as SyntaxNode);
      return;
    }
    if (node.type === 'ExportAllDeclaration' || (node.type === 'ExportNamedDeclaration' && node['source']))
      return;
    if (node.type === 'VariableDeclarator') declare(node['id'] as SyntaxNode);
    if (node.type === 'CatchClause' && node['param']) declare(node['param'] as SyntaxNode);
    if (/^(Function|Class)(Declaration|Expression)$/.test(node.type) && node['id'])
      declare(node['id'] as SyntaxNode);
    if (/Function/.test(node.type) && Array.isArray(node['params']))
      for (const param of node['params'] as SyntaxNode[]) declare(param);
    if (node.type === 'Identifier') used.add(node['name'] as string);
    for (const [member, value] of Object.entries(node)) {
      if (isPlainName(node, member)) continue;
      for (const child of [value].flat()) if (isSyntax(child) && hasMeaning(child)) visit(child);
    }
  }

  function declare(pattern: SyntaxNode): void {
    if (pattern.type === 'Identifier') declared.add(pattern['name'] as string);
    else if (pattern.type === 'AssignmentPattern') declare(pattern['left'] as SyntaxNode);
    else if (pattern.type === 'RestElement') declare(pattern['argument'] as SyntaxNode);
    else if (pattern.type === 'Property') declare(pattern['value'] as SyntaxNode);
    else
      for (const part of [pattern['elements'], pattern['properties']].flat())
        if (isSyntax(part)) declare(part);
  }
}

/** `import`, `export ... from` and `import()` of a text. */
function isModuleReference(node: SyntaxNode): node is SyntaxNode & { source: SyntaxNode } {
  const kinds = ['ImportDeclaration', 'ExportNamedDeclaration', 'ExportAllDeclaration', 'ImportExpression'];
  return kinds.includes(node.type) && isSyntax(node['source']) && node['source'].type === 'Literal';
}

function isTypeOnly(node: SyntaxNode): boolean {
  if (node['importKind'] === 'type' || node['exportKind'] === 'type') return true;
  const specifiers = (node['specifiers'] ?? []) as SyntaxNode[];
  const isType = (each: SyntaxNode): boolean =>
    each['importKind'] === 'type' || each['exportKind'] === 'type';
  return specifiers.length > 0 && specifiers.every(isType);
}

/** Names of members and labels, which are no references. */
function isPlainName(node: SyntaxNode, member: string): boolean {
  if (member === 'label') return true;
  if (node.type === 'ExportSpecifier') return member === 'exported' || node['exportKind'] === 'type';
  if (node.type === 'MemberExpression') return member === 'property' && node['computed'] === false;
  if (/^(Property|MethodDefinition|PropertyDefinition|AccessorProperty)$/.test(node.type))
    return member === 'key' && node['computed'] === false;
  return node.type === 'MetaProperty';
}

/** Types mean nothing when a module runs; what is said of an expression's type stands around the expression. */
function hasMeaning({ type }: SyntaxNode): boolean {
  return !type.startsWith('TS') || /^TS(As|NonNull|Satisfies|Instantiation)Expression$/.test(type);
}

function isSyntax(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && typeof (value as SyntaxNode).type === 'string';
}
