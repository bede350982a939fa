import ts from 'typescript';
import { nodesOf, parse } from './syntax.ts';
import { type Finding, isIn, type TreeFile } from './tree.ts';

/** The members of the union `ErrorCode`, in their order. */
export function errorCodesOf(errorsFile: TreeFile): string[] {
  for (const node of nodesOf(parse(errorsFile))) {
    if (ts.isTypeAliasDeclaration(node) && node.name.text === 'ErrorCode' && ts.isUnionTypeNode(node.type)) {
      return node.type.types.flatMap((member) =>
        ts.isLiteralTypeNode(member) && ts.isStringLiteral(member.literal) ? [member.literal.text] : [],
      );
    }
  }
  throw new Error(`${errorsFile.path} has no union ErrorCode`);
}

/** The codes that no expression of the product ever says: what is no property's name and no type. */
export function unusedCodes(codes: readonly string[], sources: readonly TreeFile[]): Finding[] {
  const said = new Set<string>();
  for (const file of sources.filter(
    ({ path }) => path !== 'src/errors.ts' && !isIn(path, 'src/client', 'src/cli'),
  )) {
    for (const node of nodesOf(parse(file))) {
      if (!ts.isStringLiteral(node)) continue;
      if (ts.isPropertyAssignment(node.parent) && node.parent.name === node) continue;
      if (!ts.isLiteralTypeNode(node.parent)) said.add(node.text);
    }
  }
  return codes.filter((code) => !said.has(code));
}
