import ts from 'typescript';
import type { TreeFile } from './tree.ts';

export function parse(file: TreeFile): ts.SourceFile {
  return ts.createSourceFile(file.path, file.text, ts.ScriptTarget.ES2023, true);
}

export function* nodesOf(node: ts.Node): Generator<ts.Node> {
  yield node;
  for (const child of node.getChildren()) yield* nodesOf(child);
}

export function placeOf(file: TreeFile, node: ts.Node): string {
  const source = node.getSourceFile();
  return `${file.path}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1}`;
}

/** Each string and template literal with its text; what a template computes stands as `${}`. */
export function textsOf(file: TreeFile): { node: ts.Node; text: string }[] {
  const texts: { node: ts.Node; text: string }[] = [];
  for (const node of nodesOf(parse(file))) {
    if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) {
      texts.push({ node, text: node.text });
    } else if (ts.isTemplateExpression(node)) {
      const tails = node.templateSpans.map((span) => `\${}${span.literal.text}`);
      texts.push({ node, text: node.head.text + tails.join('') });
    }
  }
  return texts;
}
